"""A sheet of the training pictures with their masks laid over: does the one lie on the other, and are names right?"""

import numpy as np

from kcnn.data.checks import examine, mask_misfits
from kcnn.data.headers import upright_sizes
from kcnn.data.samples import Arrays
from kcnn.data.stream import batches
from kcnn.evaluation.mask_diagrams import sheet

PICTURES, LOOKED_AT = 8, 32
SIDE = 224  # of the square that a stored picture is read into


def write_masks(dataset, path, max_pixels):
    """Draw as PNG at `path` training pictures of a `dataset` with masks; False where none can be used as it is."""
    some, headers = to_draw(dataset.splits["train"], max_pixels)
    if some is None:
        return False
    arrays = isinstance(some.images, Arrays)
    frame = some.images.values.shape[1:] if arrays else (SIDE, SIDE, 3)
    shape = {"num_classes": dataset.num_classes, "framing": "pad", "max_pixels": max_pixels}
    batch = next(batches(some, frame, len(some), training=False, **shape).as_numpy_iterator())
    cuts = [...] * len(some) if arrays else [_inside(size) for size in upright_sizes(headers)]
    pictures, masks = ([part[cut] for part, cut in zip(batch[key], cuts, strict=True)] for key in ("image", "mask"))
    sheet(list(some.names), pictures, masks, dataset.class_names, path)
    return True


def to_draw(samples, max_pixels):
    """(a few of `samples` that show many classes and can be used as they are, their headers); (None, None) without."""
    some = samples.take(_telling(samples.labels, LOOKED_AT))
    seen = examine(some.images, max_pixels)
    fits = seen.readable.copy()
    fits[list(mask_misfits(some, seen))] = False
    chosen = np.flatnonzero(fits)[:PICTURES]
    return (some.take(chosen), seen.headers[chosen]) if len(chosen) else (None, None)


def _telling(labels, most):
    """At most so many places in `labels` (N, K): those of pictures that show classes not seen before, then any."""
    there, found = labels > 0, []
    while len(found) < most and there.any():
        found.append(int(there.sum(1).argmax()))
        there = there & ~there[found[-1]]
    return list(dict.fromkeys([*found, *np.linspace(0, len(labels) - 1, most).astype(int).tolist()]))[:most]


def _inside(size):
    """The part of the square frame that a picture of `size` (2,) fills."""
    sides = np.maximum(np.floor(size / size.max() * SIDE).astype(int), 1)
    starts = (SIDE - sides) // 2
    return tuple(slice(start, start + side) for start, side in zip(starts, sides, strict=True))
