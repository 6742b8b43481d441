"""A model's weights as safetensors, each under its layer's path: nothing is unpickled, nothing depends on order."""

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from kcnn.disk import write_atomically
from kcnn.errors import UserError

KINDS = {
    f"{letter}{bits}": f"{kind}{bits}" for letter, kind in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)
}
KINDS |= {f"F{bits}": f"float{bits}" for bits in (16, 32, 64)} | {"BOOL": "bool"}


def weight_variables(model):
    """{path: variable} of what makes the model's answers: kernels, biases, norms and their statistics.

    The model's own name is no part of a path. Nor are seed states of dropout part of this; they belong to checkpoints.
    """
    return {v.path.removeprefix(f"{model.name}/"): v for v in model.weights if "seed_generator" not in v.path}


def save_weights(model, path):
    """Write the weights to the safetensors file `path`, atomically."""
    write_atomically(path, save({key: v.numpy() for key, v in weight_variables(model).items()}))


def read_tensors(path):
    """{name: array} of a safetensors file; raises `UserError` if it is damaged or of another format.

    bfloat16, which NumPy has not, is read as float32.
    """
    try:
        with open(path, "rb") as file:
            return {name: _array(name, path, **found) for name, found in deserialize(file.read())}
    except FileNotFoundError:
        raise UserError(f"no weights at {path}") from None
    except OSError as error:
        raise UserError(f"cannot read the weights {path}: {error.strerror}; give a .safetensors file") from None
    except SafetensorError as error:
        raise UserError(f"{path} is no intact safetensors file: {error}") from None


def _array(name, path, *, dtype, shape, data):
    if dtype == "BF16":  # the upper half of a float32
        return (np.frombuffer(data, "uint16").astype("uint32") << 16).view("float32").reshape(shape)
    if dtype not in KINDS:
        raise UserError(f"tensor {name} of {path} is of kind {dtype}; save it as float32, float16 or bfloat16")
    return np.frombuffer(data, KINDS[dtype]).reshape(shape)


def load_weights(model, path):
    """Set all weights from a file that `save_weights` wrote; a missing or unfit tensor raises `UserError`."""
    tensors = read_tensors(path)
    for key, variable in weight_variables(model).items():
        if key not in tensors:
            raise UserError(f"{path} has no tensor {key}: it was written by another model")
        if tuple(tensors[key].shape) != tuple(variable.shape):
            shapes = f"{tuple(tensors[key].shape)}, not {tuple(variable.shape)}"
            raise UserError(f"tensor {key} of {path} has shape {shapes}: it was written by another model")
        variable.assign(tensors[key])
