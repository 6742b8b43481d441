"""Data already in Python: NumPy arrays, .npz files and tf.data datasets, read once into memory."""

from collections.abc import Mapping

import numpy as np

from kcnn.archives import read_plain_npz
from kcnn.data.labels import from_arrays
from kcnn.data.mask_arrays import from_masks, is_mask
from kcnn.data.mask_classes import notes_of
from kcnn.data.samples import Arrays, DataSet, Encoded, Samples, as_strings, numbered
from kcnn.data.splits import split_name
from kcnn.errors import UserError

TARGETS = ("segmentation_mask", "mask", "label")
PARTS = {"x": 0, "images": 0, "image": 0, "weights": 2, "w": 2}
PARTS |= dict.fromkeys(("y", "labels", "label", "masks", "mask"), 1)


def is_arrays(address):
    """True for (x, y), (x, y, weights) and dicts of splits of those."""
    if isinstance(address, Mapping):
        return bool(address) and all(is_arrays(v) or is_tf_data(v) for k, v in address.items() if k != "class_names")
    if not isinstance(address, tuple | list) or len(address) not in (2, 3):
        return False
    return all(isinstance(part, list) or np.ndim(part) for part in address)


def is_tf_data(address):
    return hasattr(address, "element_spec") and hasattr(address, "cardinality")


def read_arrays(address, options, seed):
    """(x, y), (x, y, weights), or {"train": (x, y), "test": ..., "class_names": [...]}; y may be masks."""
    splits = dict(address) if isinstance(address, Mapping) else {"train": address}
    class_names = splits.pop("class_names", None)
    splits = {split_name(k): _collect(v) if is_tf_data(v) else tuple(v) for k, v in splits.items()}
    return _dataset(splits, class_names, "arrays in memory")


def read_npz(address, options, seed):
    """An .npz file with x_train, y_train (and x_test, y_test, ...), or x, y; nothing in it is unpickled."""
    found = read_plain_npz(address)
    class_names = found.pop("class_names", None)
    splits = {}
    for key, values in found.items():
        part, _, split = key.partition("_")
        place = PARTS.get(part)
        if place is not None:
            splits.setdefault(split_name(split or "train"), {})[place] = values
    if not splits or any(not {0, 1} <= set(parts) for parts in splits.values()):
        raise UserError(
            f"data {address} needs x and y, or x_train and y_train; it holds {', '.join(found) or 'nothing'}"
        )
    return _dataset({k: tuple(v[i] for i in sorted(v)) for k, v in splits.items()}, class_names, "an .npz file")


def read_tf_data(address, options, seed):
    """A finite tf.data.Dataset of (image, label), (image, label, weight) or {"image", "label", ...}, batched or not.

    A mask may stand in for the label, in a dict as "mask" or "segmentation_mask".
    """
    return _dataset({"train": _collect(address)}, None, "a tf.data dataset, read once into memory")


def _dataset(splits, class_names, format):
    for name, parts in splits.items():
        if len({len(part) for part in parts}) != 1:
            raise UserError(f"split {name!r}: pictures, labels and weights differ in number: {[len(p) for p in parts]}")
        if not len(parts[0]):
            raise UserError(f"split {name!r} is empty")
    class_names = None if class_names is None else tuple(map(str, class_names))
    images = {name: _images(parts[0], name) for name, parts in splits.items()}
    labels, masks, pixels, several = {name: parts[1] for name, parts in splits.items()}, {}, {}, False
    if any(is_mask(images[name], y) for name, y in labels.items()):
        labels, masks, pixels, class_names = from_masks(images, labels, class_names)
    else:
        labels, class_names, several = from_arrays(labels, class_names)
    made = {}
    for name, parts in splits.items():
        weights = None if len(parts) < 3 else _weights(np.asarray(parts[2], np.float32), name)
        names = numbered(len(parts[0]), "index" if len(splits) == 1 else name)  # no two splits may share a name
        made[name] = Samples(images[name], labels[name], names, weights, masks=masks.get(name), pixels=pixels.get(name))
    notes = []
    if masks:
        format += f", masks of {len(class_names)} classes"
        notes += notes_of(made, class_names)
    values = getattr(made["train"].images, "values", None) if "train" in made else None
    if values is not None and values.ndim == 3:
        notes.append(
            f"read as signals of {values.shape[1]} steps, {values.shape[2]} channels; for pictures add an axis"
        )
    return DataSet(made, class_names, several, format, notes)


def _weights(weights, split):
    if weights.ndim != 1 or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise UserError(f"weights of split {split!r} must be one number from 0 up a picture, not all 0")
    return weights


def _images(x, split):
    """Encoded for bytes, uint8 Arrays for whole numbers in 0..255, else float32 Arrays."""
    if len(x) and isinstance(x[0], bytes):
        return Encoded(as_strings(list(x)))
    x = np.asarray(x)
    if x.dtype.kind not in "buif" or x.ndim < 3:
        raise UserError(f"pictures of split {split!r} must be numbers (N, H, W, C), not {x.dtype} {x.shape}")
    if x.dtype == bool:
        x = x.astype(np.uint8) * 255
    if x.dtype.kind in "ui" and (x.dtype == np.uint8 or (x.size and x.min() >= 0 and x.max() <= 255)):
        x = x.astype(np.uint8)
        x = x[..., None] if x.ndim == 3 else x
        if x.ndim == 4 and x.shape[-1] in (1, 3):
            return Arrays(x)
    if 0 in x.shape[1:]:
        raise UserError(f"pictures of split {split!r} have no pixels: shape {x.shape}")
    return Arrays(x.astype(np.float32))


def _collect(dataset):
    """(x, y) or (x, y, weights) of a whole tf.data.Dataset."""
    import tensorflow as tf

    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise UserError("data is an endless tf.data dataset; give one pass over it, or use kcnn.fit")
    spec = dataset.element_spec
    if isinstance(spec, Mapping):
        target = next((key for key in TARGETS if key in spec), None)
        if "image" not in spec or target is None:
            raise UserError(f"data is a tf.data dataset of {', '.join(spec)}; it needs 'image' and 'label' or 'mask'")
        keys = [key for key in ("image", target, "weight") if key in spec]
        dataset = dataset.map(lambda row: tuple(row[key] for key in keys))
        spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise UserError("data is a tf.data dataset that yields neither (image, label) nor a dict of them")
    if spec[0].shape.rank == (1 if spec[0].dtype == tf.string else 4):
        dataset = dataset.unbatch()
    parts = list(zip(*dataset.as_numpy_iterator(), strict=True))
    if not parts:
        raise UserError("data is an empty tf.data dataset")
    return (_stack(parts[0]), _targets(parts[1]), *(np.asarray(part) for part in parts[2:]))


def _targets(labels):
    """One array, or of masks of several sizes a list."""
    return np.asarray(labels) if len({np.shape(label) for label in labels}) == 1 else list(labels)


def _stack(pictures):
    """One array where all sizes agree; else lossless PNG bytes, so that any sizes fit."""
    if isinstance(pictures[0], bytes) or len({picture.shape for picture in pictures}) == 1:
        return list(pictures) if isinstance(pictures[0], bytes) else np.stack(pictures)
    if any(picture.dtype != np.uint8 for picture in pictures):
        raise UserError("pictures of different sizes must be uint8; resize float data to one size first")
    import tensorflow as tf

    return [tf.io.encode_png(picture).numpy() for picture in pictures]
