"""From a picture, encoded or not, to its frame: the pixels that one matrix asks for, and no more.

An encoded JPEG is decoded only in the window that the frame shows, at the largest ratio that keeps the output's
scale. Rows that stay rows are resized with antialiasing; only rotation and shear pay for a projective warp, after a
prefilter where it shrinks. The EXIF orientation is one more factor of the matrix.
"""

from typing import NamedTuple

import tensorflow as tf

from kcnn.data.decode import as_it_is, checked_header, decode_window, single
from kcnn.data.geometry import MARGINS, decode_ratio, frame_matrix, transform_points
from kcnn.data.headers import JPEG
from kcnn.data.resampling import CLOSE, keeps_rows, resize, shrink_of
from kcnn.data.warping import warp


class View(NamedTuple):
    """What a frame needs of a stored picture; each may have leading dimensions.

    ratio int32 () by which a JPEG is reduced while it is decoded; low and high int32 (2: x, y), the window of the
    reduced picture; matrix (3, 3) from frame points to points of that window; aligned bool (): rows stay rows.
    """

    ratio: tf.Tensor
    low: tf.Tensor
    high: tf.Tensor
    matrix: tf.Tensor
    aligned: tf.Tensor


def view_of(header, matrix, frame):
    """The `View` for pictures of `header`, fields (...), under matrices (..., 3, 3) of their upright points."""
    size = tf.cast(tf.stack([header.width, header.height], -1), tf.float32)
    matrix = tf.matmul(orientation_matrix(header.orientation, size), matrix)
    aligned = keeps_rows(matrix)
    shrink = shrink_of(matrix, frame)
    ratio = tf.where(header.format == JPEG, decode_ratio(shrink, aligned), 1)
    scale = tf.cast(ratio, tf.float32)[..., None]
    low, high = _needed(matrix, frame, shrink, scale, tf.math.ceil(size / scale))
    reduced = tf.concat([matrix[..., :2, :] / scale[..., None], matrix[..., 2:, :]], -2)
    return View(ratio, low, high, _from_corner(reduced, low), aligned)


def render_encoded(data, header, matrix, frame, *, aligned=True, fill=None):
    """The frame (H, W, C) uint8 of the encoded picture `data` with its `header`, under `matrix` (3, 3).

    `aligned`: True, no matrix turns rows. `fill`: a number for what lies outside the picture, None: nothing does.
    """
    return render_view(data, header, view_of(header, matrix, frame), frame, aligned=aligned, fill=fill)


def render_view(data, header, view, frame, *, aligned=True, fill=None):
    """The same, for a `View` that is already known."""
    left, top, width, height = *tf.unstack(view.low), *tf.unstack(view.high - view.low)
    window = decode_window(data, header, view.ratio, top, left, height, width, frame[-1])
    return tf.ensure_shape(_resize_or_warp(window, view.matrix, view.aligned, frame, aligned, fill), frame)


def _resize_or_warp(window, matrix, keeps, frame, aligned, fill):
    """The resize; where not all are `aligned`, the warp for a sample whose rows the `matrix` turns."""
    size = tuple(frame[:2])
    if aligned:
        return resize(window, matrix, size, fill)
    return tf.cond(keeps, lambda: resize(window, matrix, size, fill), lambda: warp(window, matrix, size, fill))


def render(picture, matrix, frame, aligned=True, fill=None):
    """The frame (H, W, C) of `picture` (h, w, C), uint8 or float32, under `matrix` (3, 3), and of its type.

    `fill` is a number, (C,) or None.
    """
    picture = tf.convert_to_tensor(picture)
    size = tf.cast(tf.shape(picture)[1::-1], tf.float32)
    low, high = _needed(matrix, frame, shrink_of(matrix, frame), tf.ones(1), size)
    window = picture[low[1] : high[1], low[0] : high[0]]
    return _resize_or_warp(window, _from_corner(matrix, low), keeps_rows(matrix), frame, aligned, fill)


def fit_to_frame(picture, frame, framing="crop"):
    """The frame (H, W, C) uint8 of an upright `picture` (h, w, C) uint8, without chance: what evaluation sees."""
    matrix = frame_matrix(tf.shape(picture)[None, :2], frame, framing)[0]
    return tf.ensure_shape(render(picture, matrix, frame, True, 0.0 if framing in MARGINS else None), frame)


def frame_from_bytes(data, frame, framing, max_pixels):
    """The frame (H, W, C) uint8 of encoded `data`, as `fit_to_frame`; the graph fails where it cannot be read."""
    header = checked_header(data, max_pixels)
    matrix = frame_matrix(header.upright_size()[None], frame, framing)[0]
    return render_encoded(data, header, matrix, frame, fill=0.0 if framing in MARGINS else None)


def frames_from_bytes(items, frame, framing, max_pixels):
    """(frames (N, H, W, C) uint8, ok bool (N,)) of encoded pictures `items` (N,), in a graph that never fails.

    What cannot be read is a frame of zeros with ok False, and leaves its neighbours alone.
    """
    return sized_frames_from_bytes(items, frame, framing, max_pixels)[:2]


def sized_frames_from_bytes(items, frame, framing, max_pixels):
    """The same and int32 (N, 2), the heights and widths of the upright pictures, 1 where one cannot be read."""

    def one(place, data):
        size = checked_header(data, max_pixels).upright_size()
        return place, frame_from_bytes(data, frame, framing, max_pixels), tf.cast(size, tf.int32)

    count = tf.size(items, tf.int64)
    found = tf.data.Dataset.from_tensor_slices((tf.range(count), items)).map(as_it_is(one), tf.data.AUTOTUNE)
    spare = tf.data.Dataset.from_tensors((count, tf.zeros(frame, tf.uint8), tf.ones([2], tf.int32)))
    place, frames, sizes = single(found.ignore_errors().concatenate(spare).batch(count + 1))
    last = tf.size(place, tf.int64) - 1  # the spare: what the unreadable ones are answered with
    source = tf.tensor_scatter_nd_update(tf.fill([count + 1], last), place[:, None], tf.range(last + 1))[:count]
    filled, ok = tf.gather(frames, source), source < last
    return tf.ensure_shape(filled, [None, *frame]), ok, tf.ensure_shape(tf.gather(sizes, source), [None, 2])


def orientation_matrix(orientation, size):
    """(..., 3, 3) from points of the upright picture to points of the stored one of `size` (..., 2: width, height)."""
    linear = [(1, 0, 0, 1), (-1, 0, 0, 1), (-1, 0, 0, -1), (1, 0, 0, -1)]
    linear += [(0, 1, 1, 0), (0, 1, -1, 0), (0, -1, -1, 0), (0, -1, 1, 0)]
    linear = tf.gather(tf.reshape(tf.constant(linear, tf.float32), [8, 2, 2]), orientation - 1)
    offset = tf.where(tf.reduce_sum(linear, -1) < 0, size, 0.0)
    top = tf.concat([linear, offset[..., None]], -1)
    return tf.concat([top, tf.zeros_like(top[..., :1, :]) + [0.0, 0.0, 1.0]], -2)


def _needed(matrix, frame, shrink, scale, size):
    """int32 low, high (..., 2: x, y): the pixels that the frame and its filters touch, of the picture over `scale`."""
    height, width = map(float, frame[:2])
    places = tf.constant([[0.0, 0.0], [width, 0.0], [0.0, height], [width, height]])
    corners = transform_points(places, matrix) / scale[..., None, :]
    low, high = tf.reduce_min(corners, -2), tf.reduce_max(corners, -2)
    depth = tf.reduce_sum(matrix[..., 2:, :2] * places, -1) + matrix[..., 2:, 2]
    horizon = tf.reduce_min(depth, -1, keepdims=True) <= 0  # in the frame: corners say nothing of what lies between
    low, high = tf.where(horizon, 0.0, low), tf.where(horizon, size, high)
    ends = tf.concat([low, high], -1)
    whole = tf.reduce_all(tf.abs(ends - tf.round(ends)) < CLOSE, -1, keepdims=True)
    margin = tf.where(whole, -0.5, tf.maximum(shrink / scale, 1.0) + 1.0)
    low = tf.clip_by_value(tf.floor(low - margin), 0.0, size - 1.0)
    high = tf.clip_by_value(tf.math.ceil(high + margin), low + 1.0, size)
    return tf.cast(low, tf.int32), tf.cast(high, tf.int32)


def _from_corner(matrix, low):
    """The matrix to points of the window that begins at `low` (..., 2: x, y)."""
    shift = tf.cast(tf.concat([low, tf.zeros_like(low[..., :1])], -1), tf.float32)
    return matrix - shift[..., None] * matrix[..., 2:, :]
