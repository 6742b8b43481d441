"""Which of many places of a network answers for which object.

Ren et al. 2015, Faster R-CNN (by overlap); Feng et al. 2021, TOOD (by task: overlap and class score together).
"""

from typing import Any, NamedTuple

from keras import ops

from kcnn.boxes.coding import distances_from
from kcnn.boxes.formats import centre_size, corners
from kcnn.boxes.overlap import pairwise_iou


class Match(NamedTuple):
    """Which object each place has.

    object: int32 (B, A), the number of each place's object, 0 where it has none. positive: bool (B, A), where it has
    one. ignored: bool (B, A), neither an object's nor background. quality: float (B, A), the target score of positive
    places, from 0 to 1.
    """

    object: Any
    positive: Any
    ignored: Any
    quality: Any


def match_by_overlap(anchors, boxes, classes, positive=0.5, negative=0.4, rescue=True):
    """Each of `anchors` (A, 4) or (B, A, 4) goes to the object it overlaps most, if by an IoU of `positive` or more.

    boxes: (B, N, 4); classes: (B, N), -1 where there is no object. Below `negative` a place is background, between the
    two it is ignored. rescue: an object's best anchors count whatever their IoU, if there is any; where two objects
    have the same best anchor, it goes to the one it overlaps more, and of equals to the first.
    """
    there = classes >= 0
    overlap = pairwise_iou(anchors if len(anchors.shape) == 3 else anchors[None], boxes)
    overlap = ops.where(there[:, None], overlap, -1.0)
    best, which = ops.max(overlap, -1), ops.cast(ops.argmax(overlap, -1), "int32")
    chosen = best >= positive
    if rescue:
        tops = ops.max(overlap, 1, keepdims=True)
        own = (overlap == tops) & (overlap > 0) & there[:, None]
        rescued = ops.any(own, -1)
        which = ops.where(rescued, ops.cast(ops.argmax(ops.where(own, overlap, -1.0), -1), "int32"), which)
        chosen = chosen | rescued
    best = ops.maximum(best, 0.0)
    return Match(ops.where(chosen, which, 0), chosen, ~chosen & (best >= negative), ops.where(chosen, best, 0.0))


def match_by_task(scores, guesses, points, boxes, classes, most=10, alpha=0.5, beta=6.0, narrowest=0.0):
    """The `most` places of each object that are best at both tasks: score of its class ^ alpha times IoU ^ beta.

    scores: (B, A, K), 0 to 1; guesses: (B, A, 4); points: (A, 2), the centres of the places; boxes: (B, N, 4); classes:
    (B, N), -1 where there is no object. Only places whose centre lies in an object can be its own, where
    one narrower than `narrowest` is taken to be as wide; one that several objects want goes to the one it overlaps
    most. The quality is the measure, scaled so that an object's best place has
    the largest IoU of all its places. Nothing is ignored. No gradient flows through it.
    """
    scores, guesses = ops.stop_gradient(scores), ops.stop_gradient(guesses)
    overlap = ops.transpose(pairwise_iou(guesses, boxes), (0, 2, 1))  # (B, N, A)
    number = ops.broadcast_to(ops.maximum(classes, 0)[..., None], ops.shape(overlap))
    own_score = ops.take_along_axis(ops.transpose(scores, (0, 2, 1)), number, 1)
    centres, sizes = centre_size(boxes)
    inside = ops.min(distances_from(points, corners(centres, ops.maximum(sizes, narrowest))[..., None, :]), -1) > 1e-9
    inside = inside & (classes >= 0)[..., None]
    measure = ops.where(inside, own_score**alpha * overlap**beta, 0.0)
    wanted = _largest(measure, most) & inside
    rival = ops.where(wanted, overlap, -1.0)
    which = ops.cast(ops.argmax(rival, 1), "int32")  # (B, A)
    positive = ops.any(wanted, 1)
    own = wanted & (ops.arange(overlap.shape[1])[None, :, None] == which[:, None])
    measure, overlap = ops.where(own, measure, 0.0), ops.where(own, overlap, 0.0)
    largest = ops.max(measure, -1, keepdims=True)
    scaled = measure * ops.max(overlap, -1, keepdims=True) / ops.where(largest > 0, largest, 1.0)
    none = ops.zeros_like(positive)
    return Match(ops.where(positive, which, 0), positive, none, ops.max(scaled, 1))


def _largest(values, most):
    """bool: the `most` largest along the last axis that are above 0, and what equals the last of them."""
    last = ops.top_k(values, min(most, values.shape[-1]))[0][..., -1:]
    return (values >= last) & (values > 0)
