"""What is where in a picture, drawn over it: boxes as thin outlines, masks as a veil, classes by their colours."""

import numpy as np

from kcnn.data.instances import KEYS
from kcnn.masks import IGNORE, colours

COLOURS = colours(IGNORE) / 255  # of class numbers: those of answers and reports
VEIL = 0.45  # how opaque a mask is
DRAWN = (*KEYS, "mask")


def outline(axes, sample):
    """Draw what `sample`, one of a batch, says of what `axes` show of its image; returns the classes drawn.

    It may have `boxes` (N, 4) xyxy with their `classes` (N,), -1 where there is none, `masks` (N, H, W) of these, and
    `mask` (H, W) of class numbers, of which 0 is the background and left clear, as is what is not judged. Of a volume's
    mask (D, H, W) the middle is drawn, of a signal's (T,) bands.
    """
    from matplotlib.patches import Rectangle

    seen, mask = set(), sample.get("mask")
    mask = mask[len(mask) // 2] if np.ndim(mask) == 3 else mask
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
    """The colour of class number `kind`, RGB 0–1."""
    return COLOURS[kind % len(COLOURS)]


def _veil(axes, inside, kind):
    if inside.ndim == 1:
        whole = axes.get_xaxis_transform()
        axes.fill_between(np.arange(len(inside)), 0, 1, inside, step="mid", transform=whole, color=colour_of(kind),
                          alpha=VEIL, linewidth=0)  # fmt: skip
        return
    colour = np.broadcast_to(colour_of(kind), (*inside.shape, 3))
    axes.imshow(np.concatenate([colour, VEIL * inside[..., None]], -1), interpolation="nearest")
