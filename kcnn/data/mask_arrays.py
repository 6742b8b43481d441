"""Masks that come as arrays: whole numbers on the places of their pictures, signals or volumes."""

import numpy as np

from kcnn.data.mask_values import count_pixels, encoded_mask, occurring
from kcnn.data.samples import Arrays, Encoded, as_strings
from kcnn.errors import UserError
from kcnn.masks import IGNORE, MOST_CLASSES


def is_mask(images, y):
    """True if `y` says something of each place of `images` (Arrays or Encoded): an array of such a rank, or a list."""
    if isinstance(y, list):
        return bool(y) and np.ndim(y[0]) >= 2
    y = np.asarray(y)
    if not isinstance(images, Arrays):
        return y.ndim >= 3
    if y.ndim < 2 or y.dtype.kind not in "biuf":
        return False
    spatial = images.values.ndim - 2
    single = y.shape[-1] == 1 and y.ndim == spatial + 2
    return single or y.ndim > 2 or (y.ndim == spatial + 1 and y.shape[1:] == images.values.shape[1:-1])


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
    binary = IGNORE in found and set(found) <= {0, IGNORE}
    highest = 1 if binary else max((value for value in found if value != IGNORE), default=0)
    names = class_names or tuple(f"class {k}" for k in range(max(2, highest + 1)))
    if highest >= len(names):
        raise UserError(f"the masks have class {highest}; class_names has {len(names)} (0 to {len(names) - 1})")
    made = {split: _kept(values, binary) for split, values in plain.items()}
    pixels = {split: count_pixels(kept, len(names)) for split, kept in made.items()}
    return {split: occurring(counts) for split, counts in pixels.items()}, made, pixels, names


def _flat(values):
    return np.concatenate([np.unique(v) for v in values]) if isinstance(values, list) else values


def _whole(images, y, split):
    """Masks of whole numbers, (N, *spatial) or a list of (H, W), that lie on the places of `images`."""
    if isinstance(y, list):
        return [_numbers(np.asarray(mask), 2, split) for mask in y]
    if not isinstance(images, Arrays):
        return _numbers(np.asarray(y), 3, split)
    shape = images.values.shape[:-1]
    values = _numbers(np.asarray(y), len(shape), split)
    if values.shape != shape:
        raise UserError(
            f"masks of split {split!r} have the shape {np.shape(y)}, and the data {images.values.shape}: "
            f"they must be {shape}, or {(*shape, 1)}"
        )
    return values


def _numbers(values, rank, split):
    if values.ndim == rank + 1 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.dtype.kind not in "biuf" or (values.dtype.kind == "f" and (values != np.floor(values)).any()):
        raise UserError(f"masks of split {split!r} must be whole class numbers, not {values.dtype} with fractions")
    if values.ndim == rank + 1:
        raise UserError(f"masks of split {split!r} have {values.shape[-1]} channels; give one, of class numbers")
    return values


def _kept(values, binary):
    """Arrays of uint8, or Encoded where sizes differ or pictures are encoded."""

    def numbers(mask):
        mask = np.where(mask < 0, IGNORE, mask).astype(np.uint8)
        return (mask > 0).astype(np.uint8) if binary else mask

    if isinstance(values, list):
        return Encoded(as_strings([encoded_mask(numbers(mask)) for mask in values]))
    return Arrays(numbers(values))
