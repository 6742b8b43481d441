"""How far boxes overlap.

Rezatofighi et al. 2019, Generalized intersection over union (GIoU); Zheng et al. 2020, Distance-IoU loss (CIoU). A box
without area, or with its corners the wrong way round, overlaps nothing: every figure stays finite.
"""

import math

from keras import ops

from kcnn.boxes.formats import centre_size

EPSILON = 1e-7


def areas(boxes):
    """Areas (...) of boxes (..., 4); 0 where the corners are the wrong way round."""
    sizes = ops.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return sizes[..., 0] * sizes[..., 1]


def pairwise_iou(boxes, others, over="union"):
    """Overlaps (..., N, M) of each of `boxes` (..., N, 4) with each of `others` (..., M, 4).

    over: "union" for the intersection over union; "first" for its share of the first box's own area, which is what
        counts against a crowd of objects that one outline holds.
    """
    first, second = boxes[..., :, None, :], others[..., None, :, :]
    shared = _shared(first, second)
    whole = areas(first) if over == "first" else areas(first) + areas(second) - shared
    return shared / ops.maximum(whole, EPSILON)


def iou(boxes, others):
    """Intersection over union (...) of boxes (..., 4) and their partners (..., 4)."""
    return _parts(boxes, others)[0]


def giou(boxes, others):
    """GIoU (...), from -1 to 1: the IoU less the share of the hull, the smallest box around both, that none fills."""
    value, union = _parts(boxes, others)
    hull = areas(_hull(boxes, others))
    return value - (hull - union) / ops.maximum(hull, EPSILON)


def ciou(boxes, others):
    """CIoU (...), below 1: the IoU less the centres' distance, by the hull's diagonal, and what proportions differ.

    The weight of the proportions is held constant for gradients, as in the paper.
    """
    value, _ = _parts(boxes, others)
    (centre, size), (other_centre, other_size) = centre_size(boxes), centre_size(others)
    hull = _hull(boxes, others)
    distance = _squared(centre - other_centre) / ops.maximum(_squared(hull[..., 2:] - hull[..., :2]), EPSILON)
    turn = 2 / math.pi * (_slope(size) - _slope(other_size))
    weight = ops.stop_gradient(turn**2 / ops.maximum(1 - value + turn**2, EPSILON))
    return value - distance - weight * turn**2


def _shared(boxes, others):
    low, high = ops.maximum(boxes[..., :2], others[..., :2]), ops.minimum(boxes[..., 2:], others[..., 2:])
    sizes = ops.maximum(high - low, 0)
    return sizes[..., 0] * sizes[..., 1]


def _parts(boxes, others):
    """(IoU, union) of partners."""
    shared = _shared(boxes, others)
    union = areas(boxes) + areas(others) - shared
    return shared / ops.maximum(union, EPSILON), union


def _hull(boxes, others):
    low, high = ops.minimum(boxes[..., :2], others[..., :2]), ops.maximum(boxes[..., 2:], others[..., 2:])
    return ops.concatenate([low, high], -1)


def _squared(vectors):
    return ops.sum(vectors**2, -1)


def _slope(sizes):
    """The angle of the diagonal."""
    return ops.arctan2(ops.maximum(sizes[..., 0], 0), ops.maximum(sizes[..., 1], EPSILON))
