"""What a map holds inside boxes, at one size: RoIAlign (He et al. 2017, Mask R-CNN), over the levels of a pyramid.

Which level a box is taken from: Lin et al. 2017, Feature pyramid networks.
"""

import math

from keras import ops

from kcnn.boxes.overlap import areas

USUAL_SIDE, USUAL_STRIDE = 224, 16  # a box of this side is taken from the map of this stride


def align(maps, strides, boxes, size, samples=2):
    """Features (B, R, size, size, C) inside `boxes` (B, R, 4), in pixels of the picture.

    maps: [(B, h, w, C), ...], finest first, of static sizes, and their `strides`, each twice the one before. Each cell
    of the answer is the mean of `samples` x `samples` points, read bilinearly from the level that fits the box's size;
    beyond the map its edge goes on.
    """
    count, channels = boxes.shape[1], maps[0].shape[-1]
    picture = ops.repeat(ops.arange(ops.shape(boxes)[0], dtype="int32"), count)
    boxes = ops.reshape(boxes, (-1, 4))  # of all pictures: other runtimes know arrays of few axes
    level = _levels(boxes, strides)
    sizes = ops.convert_to_tensor([(x.shape[1], x.shape[2]) for x in maps], "int32")
    lengths = [x.shape[1] * x.shape[2] for x in maps]
    starts = ops.convert_to_tensor([sum(lengths[:i]) for i in range(len(maps))], "int32")
    flat = ops.concatenate([ops.reshape(x, (-1, x.shape[1] * x.shape[2], channels)) for x in maps], 1)
    flat = ops.reshape(flat, (-1, channels))  # whole rows are taken of it: far faster than along an axis
    first = picture * sum(lengths) + ops.take(starts, level)
    own, stride = ops.take(sizes, level, 0), ops.take(ops.convert_to_tensor(strides, boxes.dtype), level)
    columns = _weighed(_points(boxes[:, 0], boxes[:, 2], size * samples, stride), own[:, 1:], samples)
    rows = _weighed(_points(boxes[:, 1], boxes[:, 3], size * samples, stride), own[:, :1], samples)
    row = rows[0] * own[:, 1:, None] + first[:, None, None]
    at = ops.expand_dims(row, (2, 4)) + ops.expand_dims(columns[0], (1, 3))  # (boxes, size, size, points, points)
    share = ops.expand_dims(rows[1], (2, 4)) * ops.expand_dims(columns[1], (1, 3))
    points = (2 * samples) ** 2
    found = ops.take(flat, ops.reshape(at, (-1, points)), 0)  # (cells, points, C)
    share = ops.cast(ops.reshape(share, (-1, 1, points)), flat.dtype)
    return ops.reshape(ops.matmul(share, found), (-1, count, size, size, channels))


def _levels(boxes, strides):
    """int32 (N,): the place among `strides` of the level that fits the size of each of `boxes` (N, 4)."""
    side = ops.sqrt(ops.maximum(areas(boxes), 1e-6))
    wanted = ops.floor(math.log2(USUAL_STRIDE) + ops.log2(side / USUAL_SIDE) + 1e-6)
    return ops.cast(ops.clip(wanted - math.log2(strides[0]), 0, len(strides) - 1), "int32")


def _points(low, high, count, stride):
    """(N, count): where the points between the edges lie on the map, counted from the centre of its first cell."""
    step = (high - low)[..., None] / count
    at = low[..., None] + (ops.arange(count, dtype=low.dtype) + 0.5) * step
    return at / stride[..., None] - 0.5


def _weighed(at, side, samples):
    """(index, share), each (N, size, 2 * samples): the cells beside the places `at` (N, size * samples) of a line.

    A line has `side` cells (N, 1); shares add up to 1 for each of the `size` cells of the answer.
    """
    at = ops.clip(at, 0, ops.cast(side - 1, at.dtype))
    low = ops.cast(ops.floor(at), "int32")
    share = (at - ops.cast(low, at.dtype)) / samples
    index = ops.stack([low, ops.minimum(low + 1, side - 1)], -1)
    share = ops.stack([1 / samples - share, share], -1)
    shape = (-1, at.shape[1] // samples, 2 * samples)
    return ops.reshape(index, shape), ops.reshape(share, shape)
