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
    level = _levels(boxes, strides)
    sizes = ops.convert_to_tensor([(x.shape[1], x.shape[2]) for x in maps], "int32")
    lengths = [x.shape[1] * x.shape[2] for x in maps]
    starts = ops.convert_to_tensor([sum(lengths[:i]) for i in range(len(maps))], "int32")
    channels = maps[0].shape[-1]
    flat = ops.concatenate([ops.reshape(x, (-1, x.shape[1] * x.shape[2], channels)) for x in maps], 1)
    flat = ops.reshape(flat, (-1, channels))  # whole rows are taken of it: far faster than along an axis
    picture = ops.arange(ops.shape(boxes)[0], dtype="int32")[:, None] * sum(lengths)
    first = (picture + ops.take(starts, level))[..., None, None, None]
    own, stride = ops.take(sizes, level, 0), ops.take(ops.convert_to_tensor(strides, boxes.dtype), level)
    columns = _weighed(_points(boxes[..., 0], boxes[..., 2], size * samples, stride), own[..., 1:], samples)
    rows = _weighed(_points(boxes[..., 1], boxes[..., 3], size * samples, stride), own[..., :1], samples)
    at = rows[0][..., :, None, :, None] * own[..., 1, None, None, None, None] + columns[0][..., None, :, None, :]
    share = rows[1][..., :, None, :, None] * columns[1][..., None, :, None, :]
    read = (-1, boxes.shape[1], size, size, (2 * samples) ** 2)
    found = ops.take(flat, first + ops.reshape(at, read), 0)  # (B, R, size, size, points, C)
    return ops.matmul(ops.cast(ops.reshape(share, read), flat.dtype)[..., None, :], found)[..., 0, :]


def _levels(boxes, strides):
    """int32 (B, R): the place among `strides` of the level that fits a box's size."""
    side = ops.sqrt(ops.maximum(areas(boxes), 1e-6))
    wanted = ops.floor(math.log2(USUAL_STRIDE) + ops.log2(side / USUAL_SIDE) + 1e-6)
    return ops.cast(ops.clip(wanted - math.log2(strides[0]), 0, len(strides) - 1), "int32")


def _points(low, high, count, stride):
    """(B, R, count): where the points between the edges lie on the map, counted from the centre of its first cell."""
    step = (high - low)[..., None] / count
    at = low[..., None] + (ops.arange(count, dtype=low.dtype) + 0.5) * step
    return at / stride[..., None] - 0.5


def _weighed(at, side, samples):
    """(index, share), each (B, R, size, 2 * samples): the cells beside the places `at` (B, R, size * samples) of it.

    A line has `side` cells (B, R, 1); shares add up to 1 for each of the `size` cells of the answer.
    """
    at = ops.clip(at, 0, ops.cast(side - 1, at.dtype))
    low = ops.cast(ops.floor(at), "int32")
    share = (at - ops.cast(low, at.dtype)) / samples
    index = ops.stack([low, ops.minimum(low + 1, side - 1)], -1)
    share = ops.stack([1 / samples - share, share], -1)
    shape = (-1, at.shape[1], at.shape[2] // samples, 2 * samples)
    return ops.reshape(index, shape), ops.reshape(share, shape)
