"""Pictures painted from their masks: whatever happens to one must be seen to happen to the other."""

import numpy as np
import tensorflow as tf

from kcnn.data.mask_values import count_pixels, encoded_mask, occurring
from kcnn.data.samples import Arrays, Encoded, Samples, as_strings, numbered
from kcnn.masks import IGNORE

COLOURS = np.array([(30, 40, 35), (220, 60, 50), (70, 200, 90), (240, 235, 120)], np.uint8)  # apart in grey, too
CLASSES = len(COLOURS)
NAMES = ("ground", "red", "green", "yellow")
FAR = 24  # grey levels: colours of classes nearer than that cannot be told apart


def cells(count, size, seed=0):
    """uint8 (count, *size): masks of cells about random points of the plane, each of one class."""
    rng = np.random.default_rng(seed)
    points = rng.random((count, 6, 2)) * size
    places = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), -1)
    nearest = np.square(places[None, :, :, None] - points[:, None, None]).sum(-1).argmin(-1)
    return np.stack([kinds[cell] for kinds, cell in zip(rng.integers(0, CLASSES, (count, 6)), nearest, strict=True)]
                    ).astype(np.uint8)  # fmt: skip


def painted(kind, count=8, size=(48, 60), seed=0):
    """Samples of `kind` "encoded", "arrays" or "floats": pictures that show their masks in COLOURS."""
    values = cells(count, size, seed)
    pictures = COLOURS[values]
    if kind == "encoded":
        images = Encoded(as_strings([tf.io.encode_png(picture).numpy() for picture in pictures]))
        masks = Encoded(as_strings([encoded_mask(mask) for mask in values]))
    else:
        images = Arrays(pictures if kind == "arrays" else pictures.astype(np.float32) / 100)
        masks = Arrays(values)
    return Samples(images, occurring(count_pixels(masks, CLASSES)), numbered(count), masks=masks)


def disagreement(image, mask, blank=None):
    """The share of a picture's places, away from its mask's borders, whose colour is that of another class.

    What colour a class has is read from the picture itself: the median under the mask. Places of the colour `blank` and
    those not judged do not count.
    """
    image = image.astype(np.float32).reshape(*mask.shape, -1)
    judged = inner(mask) & (mask != IGNORE)
    if blank is not None:
        judged &= (np.abs(image - blank) > 1).any(-1)
    kinds = np.unique(mask[judged])
    if len(kinds) == 0:
        return 0.0
    reference = np.stack([np.median(image[judged & (mask == kind)], 0) for kind in kinds])
    seen = np.abs(image[judged][:, None] - reference).max(-1).argmin(1)
    true = np.searchsorted(kinds, mask[judged])
    return float((np.abs(reference[seen] - reference[true]).max(-1) > FAR).mean())


def inner(mask, reach=2):
    """bool (H, W): places from which no other number lies within `reach`."""
    wide = np.pad(mask, reach, mode="edge")
    shifts = [(y, x) for y in range(2 * reach + 1) for x in range(2 * reach + 1)]
    return np.all([wide[y : y + mask.shape[0], x : x + mask.shape[1]] == mask for y, x in shifts], 0)
