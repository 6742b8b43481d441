"""Weight files of other programs as {name: array}: safetensors, and the HDF5 files of keras.applications.

Nothing in either is run: arrays are read, and no class or function is looked up by a name from the file.
"""

import re
from pathlib import Path

import numpy as np

from kcnn.errors import UserError
from kcnn.training.weights import read_tensors

HDF5 = (".h5", ".hdf5")
NUMBERED = re.compile(r"(conv2d|batch_normalization|separable_conv2d|depthwise_conv2d|dense)(_\d+)?")
UNNAMED = re.compile(r"[Vv]ariable(_\d+)?")


def tensors_of(path):
    """{tensor's name: array} of a weight file; raises `UserError` if it is damaged or of another format."""
    return _hdf5(path) if Path(path).suffix.lower() in HDF5 else read_tensors(path)


def _hdf5(path):
    """Tensors as "layer/kind"; layers that were numbered automatically count from 1 in the file: "conv2d#1"."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return _layers(file)
    except FileNotFoundError:
        raise UserError(f"no weights at {path}") from None
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{path} is no weight file as keras.applications publishes them ({error}); "
            "`kcnn convert` takes the weights out of others"
        ) from None


def _layers(file):
    file = file.get("model_weights", file)
    found, counts = {}, {}
    for layer in (_text(name) for name in file.attrs["layer_names"]):
        weights = [_text(name) for name in file[layer].attrs["weight_names"]]
        kind = NUMBERED.fullmatch(layer)
        if kind and weights:
            counts[kind[1]] = counts.get(kind[1], 0) + 1
            title = f"{kind[1]}#{counts[kind[1]]}"
        else:
            title = layer
        for weight in weights:
            found[f"{title}/{_kind(weight)}"] = np.asarray(file[layer][weight])
    return found


def _kind(weight):
    """ "kernel" of "conv/kernel:0"; variables that nobody named are numbered, and are all "variable" here."""
    kind = weight.split("/")[-1].split(":")[0]
    return "variable" if UNNAMED.fullmatch(kind) else kind


def _text(name):
    return name.decode() if isinstance(name, bytes) else str(name)
