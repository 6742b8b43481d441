"""A model's weights as safetensors, each under its layer's path: nothing is unpickled, nothing depends on order."""

from safetensors import SafetensorError
from safetensors.numpy import load, save

from kcnn.disk import write_atomically
from kcnn.errors import UserError


def weight_variables(model):
    """{path: variable} of what makes the model's answers: kernels, biases, norms and their statistics.

    The model's own name is no part of a path. Nor are seed states of dropout part of this; they belong to checkpoints.
    """
    return {v.path.removeprefix(f"{model.name}/"): v for v in model.weights if "seed_generator" not in v.path}


def save_weights(model, path):
    """Write the weights to the safetensors file `path`, atomically."""
    write_atomically(path, save({key: v.numpy() for key, v in weight_variables(model).items()}))


def read_tensors(path):
    """{name: array} of a safetensors file; raises `UserError` if it is damaged or of another format."""
    try:
        with open(path, "rb") as file:
            return load(file.read())
    except FileNotFoundError:
        raise UserError(f"no weights at {path}") from None
    except SafetensorError as error:
        raise UserError(f"{path} is no intact safetensors file: {error}") from None


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
