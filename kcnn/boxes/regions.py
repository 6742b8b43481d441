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
    own, stride = ops.take(sizes, level, 0), ops.take(ops.convert_to_tensor(strides, boxes.dtype), level)
    x = _points(boxes[..., 0], boxes[..., 2], size * samples, stride)
    y = _points(boxes[..., 1], boxes[..., 3], size * samples, stride)
    read = 0.0
    for rows, row_share in _neighbours(y, own[..., :1]):
        for columns, column_share in _neighbours(x, own[..., 1:]):
            at = (
                ops.take(starts, level)[..., None, None]
                + rows[..., :, None] * own[..., 1:, None]
                + columns[..., None, :]
            )
            share = row_share[..., :, None] * column_share[..., None, :]
            found = ops.take_along_axis(flat, ops.reshape(at, (-1, math.prod(at.shape[1:]), 1)), 1)
            read = read + ops.reshape(found, (-1, *at.shape[1:], channels)) * ops.cast(share, flat.dtype)[..., None]
    cells = ops.reshape(read, (-1, boxes.shape[1], size, samples, size, samples, channels))
    return ops.mean(cells, (3, 5))


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


def _neighbours(at, side):
    """((index, share), (index, share)) of the two cells beside each place `at`, within `side` cells (..., 1)."""
    at = ops.clip(at, 0, ops.cast(side - 1, at.dtype))
    low = ops.cast(ops.floor(at), "int32")
    share = at - ops.cast(low, at.dtype)
    return (low, 1 - share), (ops.minimum(low + 1, side - 1), share)
