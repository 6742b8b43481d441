"""Occlusion (Zeiler and Fergus 2014, Visualizing and understanding convolutional networks): what is missed."""

import itertools

import numpy as np

from kcnn.inspection.class_activation import normalized
from kcnn.inspection.evidence import TOGETHER, asker
from kcnn.inspection.registry import EXPLAINERS

PATCH = 1 / 6  # of each side of the picture
STRIDE = 1 / 3  # of the patch


@EXPLAINERS.register("occlusion")
def occlusion(model, image, *, target=None, level=None):
    """Occlusion: how much less speaks for the class where a patch of the picture's mean colour hides it.

    Arguments and the heat (H, W) are those of `grad_cam`; there is no level. It asks nothing but answers of the model.
    """
    image = np.asarray(image, np.float32)
    ask, shape = asker(model, image, target), image.shape[:-1]
    places = list(itertools.product(*map(_windows, shape)))
    mean = image.mean(tuple(range(len(shape))))

    def values(windows):
        hidden = np.repeat(image[None], len(windows), 0)
        for copy, window in zip(hidden, windows, strict=True):
            copy[window] = mean
        return ask(hidden)

    whole = ask(image[None])[0]
    lost, seen = np.zeros(shape), np.zeros(shape)
    for start in range(0, len(places), TOGETHER):
        some = places[start : start + TOGETHER]
        for window, value in zip(some, values(some), strict=True):
            lost[window] += whole - value
            seen[window] += 1
    return normalized(np.maximum(lost / seen, 0).astype(np.float32))


def _windows(side):
    """Slices of a side, each a patch long, that cover all of it."""
    patch = max(1, round(side * PATCH))
    starts = range(0, side - patch, max(1, round(patch * STRIDE)))
    return [slice(start, start + patch) for start in (*starts, side - patch)]
