"""Boundary F: do the outlines of an answer run where the true ones do (Csurka et al. 2013)?

A class's border are those of its own places that touch, above, below, left or right, a place of another class; the
edge of the frame makes none. A border place is right where the other mask has a border of the same class within 0.0075
of the frame's diagonal, and never less than one place. Places that are not judged are taken to be, in both masks, what
the nearest judged place is, so that things with a ring of such places around them, as VOC draws them, have a border in
it; farther than 5 places from what is judged nothing is one.
"""

import math

import numpy as np

from kcnn.masks import IGNORE

SHARE = 0.0075  # of the frame's diagonal
RING = 5  # places


def boundary_f(truth, guess, classes):
    """float64 (classes,): the F of each class's border in one picture, from two masks (H, W) uint8.

    The harmonic mean of the shares of true and of answered border places that are right: 0 where only one of the two
    has a border, NaN where neither has.
    """
    ignored = truth == IGNORE
    if ignored.all():
        return np.full(classes, np.nan)
    distance, nearest = _nearest_judged(ignored)
    lines = [np.where(distance > RING, np.uint8(IGNORE), borders(mask[nearest])) for mask in (truth, guess)]
    reach = max(1.0, SHARE * math.hypot(*truth.shape))
    recall, precision = (_share(one, other, reach, classes) for one, other in (lines, lines[::-1]))
    with np.errstate(invalid="ignore"):
        f = np.nan_to_num(2 * precision * recall / (precision + recall))
    return np.where(np.isnan(precision) & np.isnan(recall), np.nan, f)


def _nearest_judged(ignored):
    """(how far each place (H, W) is from one that is not `ignored`, (rows, columns) of that one)."""
    from scipy.ndimage import distance_transform_edt

    if not ignored.any():
        return np.zeros(ignored.shape), np.s_[:, :]
    distance, nearest = distance_transform_edt(ignored, return_indices=True)
    return distance, tuple(nearest)


def borders(mask):
    """uint8 (H, W): the class number on the inner border of each class, `IGNORE` elsewhere."""
    edge = np.zeros(mask.shape, bool)
    for here, other in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        apart = mask[here] != mask[other]
        edge[here] |= apart
        edge[other] |= apart
    return np.where(edge, mask, np.uint8(IGNORE))


def _share(lines, others, reach, classes):
    """(classes,): which share of each class's places in `lines` has one of that class in `others` within `reach`.

    Line by line from the own one outwards, the nearest place of the class is looked up in the sorted ones.
    """
    width, own, theirs = lines.shape[1], _sorted(lines, classes), _sorted(others, classes)
    lots, columns = np.divmod(own, width)
    kinds = lots % classes
    near = np.isin(kinds, theirs // width % classes)  # a class that the other mask lacks is nowhere
    theirs = np.append(theirs, np.iinfo(np.int64).max)
    left = np.flatnonzero(near)
    for step in sorted(range(-int(reach), int(reach) + 1), key=abs):
        wide = int(math.sqrt(reach * reach - step * step))
        line = (lots[left] + step * classes) * width
        nearest = theirs[np.searchsorted(theirs, line + np.maximum(columns[left] - wide, 0))]
        left = left[nearest > line + np.minimum(columns[left] + wide, width - 1)]
    near[left] = False
    with np.errstate(invalid="ignore"):
        return np.bincount(kinds, near, classes) / np.bincount(kinds, minlength=classes)


def _sorted(lines, classes):
    """int64 (n,): (row * classes + class) * width + column of the places on a border, sorted."""
    rows, columns = np.nonzero(lines != IGNORE)
    return np.sort((rows * classes + lines[rows, columns]) * lines.shape[1] + columns)
