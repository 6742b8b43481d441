"""Whole pictures, for networks that take any size: read at their own, and brought to the scale of training."""

import os

import numpy as np
import tensorflow as tf

from kcnn.data.decode import UNREADABLE, as_it_is, decode, to_channels
from kcnn.data.reading import file_bytes
from kcnn.data.resampling import as_type, scale_to
from kcnn.errors import UserError

MOST_FRAMES = 16  # frames' worth of pixels: no picture is enlarged beyond it


def read_whole(item, channels, max_pixels):
    """One picture as (h, w, channels) uint8, upright; None where it cannot be read.

    item: a path, encoded bytes, or an array (h, w), (h, w, 1), (h, w, 3) or (h, w, 4) of whole numbers from 0 to 255.
    """
    if not isinstance(item, str | os.PathLike | bytes):
        return _of_array(np.asarray(item), channels)
    try:
        data = item if isinstance(item, bytes) else file_bytes(item)
        return decode(tf.constant(data), channels, max_pixels).numpy()
    except (OSError, *UNREADABLE):
        return None


def working_size(size, frame, framing):
    """int32 (2,): height and width at which a whole picture of `size` (2,) is seen at the scale of training.

    Its shape stays, but where training stretches pictures: then it is `frame` (H, W, ...) itself. Its pixels are at
    most its own, or those of `MOST_FRAMES` frames if that is more: a long strip is seen smaller than in training.
    """
    size, sides = tf.cast(size, tf.float32), tf.constant(frame[:2], tf.float32)
    if framing == "stretch":
        return tf.cast(sides, tf.int32)
    if framing == "native":
        return tf.cast(size, tf.int32)
    ratio = (tf.reduce_max if framing == "crop" else tf.reduce_min)(sides / size)
    most = tf.maximum(tf.sqrt(MOST_FRAMES * tf.reduce_prod(sides) / tf.reduce_prod(size)), 1.0)
    found = tf.where(ratio > most, tf.floor(size * most), tf.round(size * tf.minimum(ratio, most)))
    return tf.maximum(tf.cast(found, tf.int32), 1)


def resized(picture, size):
    """`picture` (h, w, C), uint8 or float32, at `size` int32 (2,), of its type: antialiased, as frames are."""
    step = tf.cast(tf.shape(picture)[:2], tf.float32) / tf.cast(size, tf.float32)
    return as_type(scale_to(picture, tf.zeros(2), step, size), picture.dtype)


def pictures_as_png(items, channels, max_pixels):
    """(PNGs (N,) of the upright pictures in the encoded `items` (N,), ok bool (N,)), in a graph that never fails.

    What cannot be read is a black pixel with ok False.
    """

    def clean(data):
        return tf.io.encode_png(decode(data, channels, max_pixels), compression=1)

    count = tf.size(items, tf.int64)
    found = tf.data.Dataset.from_tensor_slices((tf.range(count), items))
    found = found.map(as_it_is(lambda i, data: (i, clean(data))), tf.data.AUTOTUNE).ignore_errors()
    blank = tf.io.encode_png(tf.zeros([1, 1, channels], tf.uint8))
    start = (tf.fill([count], blank), tf.fill([count], False))

    def put(state, row):
        place = tf.reshape(row[0], [1, 1])
        pngs = tf.tensor_scatter_nd_update(state[0], place, row[1][None])
        return pngs, tf.tensor_scatter_nd_update(state[1], place, [True])

    return found.reduce(start, as_it_is(put))


def _of_array(picture, channels):
    picture = picture[..., None] if picture.ndim == 2 else picture
    whole = picture.dtype.kind in "iu" and picture.size and picture.min() >= 0 and picture.max() <= 255
    if not whole or picture.ndim != 3 or picture.shape[-1] not in (1, 3, 4):
        raise UserError(
            f"a picture must be whole numbers 0 to 255 of shape (H, W, 1 or 3), not {picture.dtype} {picture.shape}"
        )
    return to_channels(tf.constant(picture.astype(np.uint8)), channels).numpy()
