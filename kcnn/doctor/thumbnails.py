"""Thumbnails by training's own decoder: all of a picture, upright, in a small square, and a coarse grid of colours."""

import functools

import numpy as np
import tensorflow as tf

from kcnn.data.decode import checked_header, decode_window, to_channels, upright
from kcnn.data.geometry import decode_ratio
from kcnn.data.headers import JPEG
from kcnn.data.resampling import resize, round_to_bytes

SIDE = 32  # of a thumbnail in memory, in pixels; it is read at twice that
CELLS = 4  # of the colour grid, a side


@functools.lru_cache(4)
def graph(max_pixels):
    """From bytes to (header (5,), grey uint8 (64, 64), colours uint8 (4, 4, 3)); it fails where training would."""
    return tf.function(lambda data: _look(data, max_pixels), [tf.TensorSpec([], tf.string)], autograph=False)


def _look(data, max_pixels):
    header = checked_header(data, max_pixels)
    size = tf.cast(tf.stack([header.height, header.width]), tf.float32)
    ratio = tf.where(tf.equal(header.format, JPEG), decode_ratio(size / (2 * SIDE)), 1)
    size = size / tf.cast(ratio, tf.float32)  # a reduced JPEG's last row or column may be cut off half-way
    whole = tf.cast(tf.math.ceil(size), tf.int32)
    picture = upright(decode_window(data, header, ratio, 0, 0, whole[0], whole[1], 3), header.orientation)
    step = tf.where(header.orientation > 4, size[::-1], size) / (2 * SIDE)
    small = resize(picture, tf.linalg.diag([step[1], step[0], 1.0]), (2 * SIDE, 2 * SIDE), None)
    grey, colours = reduced(tf.cast(small[None], tf.float32))
    return tf.stack(header), grey[0], colours[0]


def reduced(pictures):
    """(grey uint8 (B, 64, 64), colours uint8 (B, 4, 4, 3)) of float pictures (B, 64, 64, 3)."""
    pictures = round_to_bytes(tf.clip_by_value(pictures, 0.0, 255.0))
    cells = tf.reshape(tf.cast(pictures, tf.float32), [-1, CELLS, 2 * SIDE // CELLS, CELLS, 2 * SIDE // CELLS, 3])
    return to_channels(pictures, 1)[..., 0], round_to_bytes(tf.reduce_mean(cells, [2, 4]))


def halved(thumbs):
    """Thumbnails uint8 (..., 64, 64) at half the side."""
    whole = thumbs.reshape(*thumbs.shape[:-2], SIDE, 2, SIDE, 2).astype(np.uint16)
    return ((whole.sum((-3, -1)) + 2) // 4).astype(np.uint8)
