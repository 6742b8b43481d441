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
SQUEEZED = 1000  # how many times the file's size its arrays may have where they are compressed
UNNAMED = re.compile(r"[Vv]ariable(_\d+)?")


def tensors_of(path):
    """{tensor's name: array} of a weight file; raises `UserError` if it is damaged or of another format."""
    return _hdf5(path) if Path(path).suffix.lower() in HDF5 else read_tensors(path)


def _hdf5(path):
    """Tensors as "layer/kind"; layers that were numbered automatically count from 1 in the file: "conv2d#1"."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return _read(_layers(file), Path(path).stat().st_size)
    except FileNotFoundError:
        raise UserError(f"no weights at {path}") from None
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, MemoryError) as error:
        raise UserError(
            f"{path} is no weight file as keras.applications publishes them ({error}); "
            "`kcnn convert` takes the weights out of others"
        ) from None


def _layers(file):
    file = _inside(file, "model_weights") if "model_weights" in file else file
    if "layer_names" not in file.attrs and "layers" in file:
        raise ValueError("it is of save_weights and keeps no names of layers: write model.save('model.keras')")
    found, counts = {}, {}
    for layer in (_text(name) for name in file.attrs["layer_names"]):
        weights = [_text(name) for name in _inside(file, layer).attrs["weight_names"]]
        kind = NUMBERED.fullmatch(layer)
        if kind and weights:
            counts[kind[1]] = counts.get(kind[1], 0) + 1
            title = f"{kind[1]}#{counts[kind[1]]}"
        else:
            title = re.sub(r"^normalization_\d+$", "normalization", layer)  # there is but one
        for weight in weights:
            found[f"{title}/{_kind(weight)}"] = _inside(_inside(file, layer), weight)
    return found


def _inside(group, name):
    """The member `name` of `group`; one that is a link, maybe to another file, is refused."""
    import h5py

    for part in name.split("/"):
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"{name} is missing or a link")
        group = group[part]
    return group


def _read(datasets, size):
    """The arrays of {name: dataset}, once none lies elsewhere and all fit into a file of `size` bytes."""
    for name, dataset in datasets.items():
        if getattr(dataset, "dtype", np.dtype(object)).kind not in "fiu":
            raise ValueError(f"{name} holds no numbers")
        if dataset.external or dataset.is_virtual:
            raise ValueError(f"{name} lies outside of the file")
    squeezed = any(dataset.compression for dataset in datasets.values())
    if sum(dataset.nbytes for dataset in datasets.values()) > size * (SQUEEZED if squeezed else 1):
        raise ValueError("its arrays are larger than the file")
    return {name: np.asarray(dataset) for name, dataset in datasets.items()}


def _kind(weight):
    """ "kernel" of "conv/kernel:0"; variables that nobody named are numbered, and are all "variable" here."""
    kind = weight.split("/")[-1].split(":")[0]
    return "variable" if UNNAMED.fullmatch(kind) else kind


def _text(name):
    return name.decode() if isinstance(name, bytes) else str(name)
