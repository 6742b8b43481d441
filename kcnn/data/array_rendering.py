"""Frames of pictures that lie in one array, a whole batch at a time: what small pictures need to be quick.

Three ways, the cheapest that serves: moving whole pixels (one gather), an antialiased resize as two small matrix
products, a warp. They agree with `rendering` up to rounding.
"""

import math

import tensorflow as tf

from kcnn.data.resampling import SHRINKING
from kcnn.data.warping import warp_batch

SMALL = 96  # up to this side, gathers or two matrix products a picture are cheaper than calls of one's own


def are_small(size, frame):
    """True where pictures of `size` (H, W) are small enough for whole batches to be quicker than one at a time."""
    return max(*size, *frame[:2]) <= SMALL


def move_batch(values, index, matrices, frame, fill):
    """Frames (B, H, W, C) of the pictures `index` (B,) of `values` (N, H, W, C), of the frame's own size.

    `matrices` (B, 3, 3) only mirror and move by whole pixels; `fill` (C,) is what they uncover. One gather of pixels.
    """
    height, width, channels = values.shape[1:]
    rows, inside_rows = _places(matrices[:, 1, 1], matrices[:, 1, 2], height)
    columns, inside_columns = _places(matrices[:, 0, 0], matrices[:, 0, 2], width)
    start = tf.cast(index, tf.int64) * (height * width)
    place = (start[:, None] + rows * width)[:, :, None] + columns[:, None, :]
    frames = tf.gather(tf.reshape(values, [-1, channels]), place)
    inside = inside_rows[:, :, None] & inside_columns[:, None, :]
    return tf.where(inside[..., None], frames, tf.cast(fill, values.dtype))


def _places(sign, offset, size):
    """(int64 (B, size) within 0 to size - 1, bool (B, size): whether that is the true place)."""
    centres = tf.range(size, dtype=tf.float32) + 0.5
    place = tf.cast(tf.floor(sign[:, None] * centres + offset[:, None]), tf.int64)
    return tf.clip_by_value(place, 0, size - 1), (place >= 0) & (place < size)


def resize_batch(pictures, matrices, frame, fill, uncovers=True):
    """Frames float32 (B, H, W, C) of `pictures` (B, h, w, C) under aligned `matrices` (B, 3, 3).

    `uncovers`: frames may show more than the picture; else, as in `rendering`, nothing outside the window is seen.
    """
    height, width, channels = pictures.shape[1:]
    rows, inside_rows = _weights(matrices[:, 1, 1], matrices[:, 1, 2], frame[0], height, uncovers)
    columns, inside_columns = _weights(matrices[:, 0, 0], matrices[:, 0, 2], frame[1], width, uncovers)
    lines = tf.reshape(tf.cast(pictures, tf.float32), [-1, height, width * channels])
    lines = tf.reshape(rows @ lines, [-1, frame[0], width, channels])
    frames = tf.einsum("bvw,bhwc->bhvc", columns, lines) if channels > 1 else _single(lines, columns)
    inside = inside_rows[:, :, None] & inside_columns[:, None, :]
    return tf.where(inside[..., None], frames, tf.cast(fill, tf.float32))


def _single(lines, columns):
    return tf.matmul(lines[..., 0], columns, transpose_b=True)[..., None]


def _weights(step, start, count, size, uncovers):
    """(weights (B, count, size) that sum to 1, as in `resampling`, bool (B, count): whether the centre is inside)."""
    centres = start[:, None] + step[:, None] * (tf.range(count, dtype=tf.float32) + 0.5)
    reach = tf.maximum(tf.abs(step), 1.0)[:, None, None]
    distance = tf.abs(centres[:, :, None] - (tf.range(size, dtype=tf.float32) + 0.5))
    weights = tf.maximum(1 - distance / reach, 0.0)
    lobe = tf.math.square(_sinc(tf.minimum(distance / reach, 1.0)))
    weights = tf.where(reach < SHRINKING, weights, lobe)
    if not uncovers:
        ends = tf.sort(tf.stack([start, start + step * count], -1))[:, :, None, None]
        pixels = tf.range(size, dtype=tf.float32) + 0.5
        weights = tf.where((pixels > ends[:, 0]) & (pixels < ends[:, 1]), weights, 0.0)
    inside = (centres >= 0) & (centres < size)
    return tf.math.divide_no_nan(weights, tf.reduce_sum(weights, -1, keepdims=True)), inside


def _sinc(x):
    angle = math.pi * tf.maximum(x, 1e-4)
    return tf.sin(angle) / angle


def warp_frames(pictures, matrices, frame, fill, uncovers=True):
    """Frames float32 (B, H, W, C) of `pictures` (B, h, w, C) under any `matrices` (B, 3, 3) that hardly shrink."""
    return warp_batch(pictures, matrices, frame[:2], fill)
