"""Masks that come as arrays: whole numbers on the places of their pictures, signals or volumes."""

import numpy as np

from kcnn.data.mask_values import count_pixels, encoded_mask, occurring
from kcnn.data.numbering import numbering_of
from kcnn.data.samples import Arrays, Encoded, as_strings
from kcnn.errors import UserError
from kcnn.masks import IGNORE, MOST_CLASSES

MOST_CHANNELS = 4  # of colours; masks with more are volumes


def is_mask(images, y):
    """True if `y` says something of each place of `images` (Arrays or Encoded): an array of such a rank, or a list."""
    if _is_one_array(images, y):
        y = y[:1]
    elif isinstance(y, list):
        return bool(y) and np.ndim(y[0]) >= 2
    y = np.asarray(y)
    if not isinstance(images, Arrays):
        return y.ndim >= 3
    if y.ndim < 2 or y.dtype.kind not in "biuf":
        return False
    spatial = images.values.ndim - 2
    single = y.shape[-1] == 1 and y.ndim == spatial + 2
    return single or y.ndim > 2 or (y.ndim == spatial + 1 and y.shape[1:] == images.values.shape[1:-1])


def _is_one_array(images, y):
    """True for a list of what has one shape, where the pictures are one array."""
    if not (isinstance(images, Arrays) and isinstance(y, list) and y and np.ndim(y[0])):
        return False
    return len(set(map(np.shape, y))) == 1


def from_masks(images, masks, class_names):
    """({split: labels}, {split: masks}, {split: pixels}, class names) of {split: y} for {split: images}.

    y is (N, *spatial) or (N, *spatial, 1) of whole numbers: 0 up, 255 where nothing is judged (-1 also, or 255 alone
    beside 0 for a second class). Raises UserError for another shape than the pictures', fractions, and numbers beyond
    the classes.
    """
    plain = {split: _whole(images[split], y, split) for split, y in masks.items()}
    found = sorted({int(value) for values in plain.values() for value in np.unique(_flat(values))})
    if found[0] < -1 or found[-1] > IGNORE:
        odd = found[0] if found[0] < -1 else found[-1]
        raise UserError(f"masks must hold class numbers from 0 to {MOST_CLASSES - 1} (255 is not judged), not {odd}")
    numbering = numbering_of(found, class_names)
    names, highest = numbering.names, numbering.highest
    if highest >= len(names):
        raise UserError(f"the masks have class {highest}; class_names has {len(names)} (0 to {len(names) - 1})")
    made = {split: _kept(values, numbering.binary) for split, values in plain.items()}
    pixels = {split: count_pixels(kept, len(names)) for split, kept in made.items()}
    return {split: occurring(counts) for split, counts in pixels.items()}, made, pixels, names


def _flat(values):
    return np.concatenate([np.unique(v) for v in values]) if isinstance(values, list) else values


def _whole(images, y, split):
    """Masks of whole numbers, (N, *spatial) or a list of (H, W), that lie on the places of `images`."""
    if not isinstance(images, Arrays):
        return [_numbers(mask, 2, split) for mask in y] if isinstance(y, list) else _numbers(y, 3, split)
    shape = images.values.shape[:-1]
    if isinstance(y, list) and not _is_one_array(images, y):
        sizes = ", ".join(map(str, sorted({np.shape(mask) for mask in y})[:2]))
        raise UserError(f"masks of split {split!r} have several shapes, such as {sizes}: all must be {shape[1:]}")
    if np.shape(y) == images.values.shape and np.shape(y)[-1] > MOST_CHANNELS:
        raise UserError(
            f"masks of split {split!r} have the shape of the data, {np.shape(y)}, of which the last axis is read as "
            f"channels; give volumes of one channel as {(*np.shape(y), 1)}"
        )
    values = _numbers(y, len(shape), split)
    if values.shape != shape:
        raise UserError(
            f"masks of split {split!r} have the shape {np.shape(y)}, and the data {images.values.shape}: "
            f"they must be {shape}, or {(*shape, 1)}"
        )
    return values


def _numbers(values, rank, split):
    values = np.asarray(values)
    if values.ndim == rank + 1 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.dtype.kind not in "biuf" or (values.dtype.kind == "f" and not _are_whole(values)):
        raise UserError(
            f"masks of split {split!r} must be whole class numbers, not {values.dtype} with fractions or infinity"
        )
    if values.ndim == rank + 1:
        raise UserError(f"masks of split {split!r} have {values.shape[-1]} channels; give one, of class numbers")
    return values


def _are_whole(values):
    return bool((np.isfinite(values) & (values == np.floor(values))).all())


def _kept(values, binary):
    """Arrays of uint8, or Encoded where sizes differ or pictures are encoded."""

    def numbers(mask):
        mask = np.where(mask < 0, IGNORE, mask).astype(np.uint8)
        return (mask > 0).astype(np.uint8) if binary else mask

    if isinstance(values, list):
        return Encoded(as_strings([encoded_mask(numbers(mask)) for mask in values]))
    return Arrays(numbers(values))
