"""From many overlapping answers to one an object: the best candidates, and greedy non-maximum suppression of these."""

from keras import ops

from kcnn.boxes.overlap import pairwise_iou


def candidates(boxes, scores, most, threshold=0.0):
    """The `most` best pairs of place and class, best first: (boxes (B, M, 4), scores (B, M), classes (B, M), places).

    boxes: (B, A, 4); scores: (B, A, K). Classes and places are int32; where a score is below `threshold`, or 0, the
    class is -1 and the score 0. Of equal scores the first counts.
    """
    count, kinds = scores.shape[-2:]
    flat = ops.reshape(scores, (-1, count * kinds))
    best, where = ops.top_k(flat, min(most, count * kinds))
    where = ops.cast(where, "int32")
    there, places = (best >= threshold) & (best > 0), where // kinds
    chosen = ops.take_along_axis(boxes, places[..., None], 1)
    return chosen, ops.where(there, best, 0.0), ops.where(there, where % kinds, -1), places


def survivors(boxes, classes, threshold=0.5, by_class=True):
    """bool (B, M): which of `boxes` (B, M, 4), best first, no better one that stays overlaps by more than `threshold`.

    classes: int32 (B, M), -1 where there is none, which never stays. by_class: only those of the same class compete.
    Exactly the greedy rule, but for all at once: whoever no survivor hides stays, until nothing changes any more.
    """
    there, count = classes >= 0, boxes.shape[1]
    better = ops.arange(count)[None, :] < ops.arange(count)[:, None]
    hides = (pairwise_iou(boxes, boxes) > threshold) & better & there[:, None, :]
    if by_class:
        hides = hides & (classes[:, :, None] == classes[:, None, :])

    def changing(stays, before):
        return ops.any(stays != before)

    def again(stays, before):
        return there & ~ops.any(hides & stays[:, None, :], -1), stays

    return ops.while_loop(changing, again, (there, ops.logical_not(there)), maximum_iterations=count + 1)[0]
