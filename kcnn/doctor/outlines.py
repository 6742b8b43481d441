"""What is where in a picture, drawn over it: boxes as thin outlines, masks as a veil, classes by their colours."""

import numpy as np

from kcnn.data.instances import KEYS
from kcnn.masks import IGNORE

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")  # taken in turn by classes
VEIL = 0.45  # how opaque a mask is
DRAWN = (*KEYS, "mask")


def outline(axes, sample):
    """Draw what `sample`, one of a batch, says of the picture (H, W, C) that `axes` show; returns the classes drawn.

    It may have `boxes` (N, 4) xyxy with their `classes` (N,), -1 where there is none, `masks` (N, H, W) of these, and
    `mask` (H, W) of class numbers, of which 0 is the background and left clear, as is what is not judged.
    """
    from matplotlib.patches import Rectangle

    seen, mask = set(), sample.get("mask")
    for kind in np.unique(mask[(mask > 0) & (mask != IGNORE)]) if mask is not None else ():
        _veil(axes, mask == kind, int(kind))
        seen.add(int(kind))
    for place in np.flatnonzero(sample.get("classes", np.array([])) >= 0):
        kind = int(sample["classes"][place])
        if "masks" in sample:
            _veil(axes, sample["masks"][place] > 0, kind)
        x0, y0, x1, y1 = sample["boxes"][place] - 0.5  # axes count from the centre of the first pixel
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour_of(kind), linewidth=1))
        seen.add(kind)
    return seen


def colour_of(kind):
    """The colour of class number `kind`."""
    return COLOURS[kind % len(COLOURS)]


def _veil(axes, inside, kind):
    from matplotlib.colors import to_rgb

    colour = np.broadcast_to(to_rgb(colour_of(kind)), (*inside.shape, 3))
    axes.imshow(np.concatenate([colour, VEIL * inside[..., None]], -1), interpolation="nearest")
