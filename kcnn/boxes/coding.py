"""Boxes as what a network can learn: relative to anchors, or as distances from a point to the four edges.

Girshick et al. 2014, R-CNN (deltas); Tian et al. 2019, FCOS (distances).
"""

import math

from keras import ops

from kcnn.boxes.formats import centre_size, corners

MOST_GROWTH = math.log(1000 / 16)  # of a side against its anchor's, so that no wild answer overflows


def encoded(boxes, anchors, variances=(1.0, 1.0, 1.0, 1.0)):
    """Deltas (..., 4) from `anchors` to `boxes`, both (..., 4): shifts in its sides, logs of the sides' ratios.

    variances: what each is divided by. Boxes without area are taken as tiny, so that all deltas are finite.
    """
    (centres, sizes), (own, sides) = centre_size(boxes), centre_size(anchors)
    deltas = ops.concatenate([(centres - own) / sides, ops.log(ops.maximum(sizes, 1e-3) / sides)], -1)
    return deltas / ops.convert_to_tensor(variances, deltas.dtype)


def decoded(deltas, anchors, variances=(1.0, 1.0, 1.0, 1.0)):
    """Boxes (..., 4) of `deltas` (..., 4) from `anchors` (..., 4): `encoded` undone."""
    deltas = deltas * ops.convert_to_tensor(variances, deltas.dtype)
    own, sides = centre_size(anchors)
    return corners(own + deltas[..., :2] * sides, sides * ops.exp(ops.minimum(deltas[..., 2:], MOST_GROWTH)))


def distances_from(points, boxes):
    """Distances (..., 4) left, up, right, down from `points` (..., 2) to the edges of `boxes`; below 0 outside."""
    return ops.concatenate([points - boxes[..., :2], boxes[..., 2:] - points], -1)


def boxes_at(points, distances):
    """Boxes (..., 4) whose edges are `distances` (..., 4) left, up, right and down of `points` (..., 2)."""
    return ops.concatenate([points - distances[..., :2], points + distances[..., 2:]], -1)
