"""From a picture, encoded or not, to its frame: the pixels that one matrix asks for, and no more.

An encoded JPEG is decoded only in the window that the frame shows, at the largest ratio that keeps the output's
scale. Rows that stay rows are resized with antialiasing; only rotation and shear pay for a projective warp, after a
prefilter where it shrinks. The EXIF orientation is one more factor of the matrix.
"""

import tensorflow as tf

from kcnn.data.decode import as_it_is, checked_header, decode_window, single
from kcnn.data.geometry import decode_ratio, frame_matrix, transform_points
from kcnn.data.headers import JPEG

CLOSE = 0.01  # pixels: a place this near to a whole pixel is on it
SHARP = 1.5  # pixels a frame pixel that are left to the warp: fewer blur, more alias


def render_encoded(data, header, matrix, frame, *, aligned=True, fill=None):
    """The frame (H, W, C) uint8 of the encoded picture `data` with its `header`, under `matrix` (3, 3).

    `aligned`: the matrix keeps rows rows. `fill`: a number for what lies outside the picture, None: nothing does.
    """
    size = tf.cast(tf.stack([header.width, header.height]), tf.float32)
    matrix = tf.matmul(orientation_matrix(header.orientation, size), matrix)
    shrink = _shrink(matrix)
    ratio = tf.where(header.format == JPEG, decode_ratio(shrink), 1)
    scale = tf.cast(ratio, tf.float32)
    low, high = _needed(matrix, frame, shrink, scale, tf.math.ceil(size / scale))
    left, top, width, height = *tf.unstack(low), *tf.unstack(high - low)
    window = decode_window(data, header, ratio, top, left, height, width, frame[-1])
    matrix = _from_corner(tf.concat([matrix[:2] / scale, matrix[2:]], 0), low)
    seen = (_resize if aligned else _warp)(window, matrix, tuple(frame[:2]), fill)
    return tf.ensure_shape(round_to_bytes(seen), frame)


def render(picture, matrix, frame, aligned=True, fill=None):
    """The frame float32 (H, W, C) of `picture` (h, w, C) under `matrix` (3, 3); `fill` is a number, (C,) or None."""
    if not aligned:
        return _warp(picture, matrix, tuple(frame[:2]), fill)
    size = tf.cast(tf.shape(picture)[1::-1], tf.float32)
    low, high = _needed(matrix, frame, _shrink(matrix), 1.0, size)
    window = picture[low[1] : high[1], low[0] : high[0]]
    return _resize(window, _from_corner(matrix, low), tuple(frame[:2]), fill)


def round_to_bytes(values):
    """uint8 from float32 values that lie within 0 to 255, give or take rounding."""
    return tf.cast(values + 0.5, tf.uint8)


def fit_to_frame(picture, frame, framing="crop"):
    """The frame (H, W, C) uint8 of an upright `picture` (h, w, C) uint8, without chance: what evaluation sees."""
    matrix = frame_matrix(tf.shape(picture)[None, :2], frame, framing)[0]
    seen = render(picture, matrix, frame, True, 0.0 if framing == "pad" else None)
    return tf.ensure_shape(round_to_bytes(seen), frame)


def frame_from_bytes(data, frame, framing, max_pixels):
    """The frame (H, W, C) uint8 of encoded `data`, as `fit_to_frame`; the graph fails where it cannot be read."""
    header = checked_header(data, max_pixels)
    matrix = frame_matrix(header.upright_size()[None], frame, framing)[0]
    return render_encoded(data, header, matrix, frame, fill=0.0 if framing == "pad" else None)


def frames_from_bytes(items, frame, framing, max_pixels):
    """(frames (N, H, W, C) uint8, ok bool (N,)) of encoded pictures `items` (N,), in a graph that never fails.

    What cannot be read is a frame of zeros with ok False, and leaves its neighbours alone.
    """
    count = tf.size(items, tf.int64)
    found = tf.data.Dataset.from_tensor_slices((tf.range(count), items)).map(
        as_it_is(lambda i, data: (i, frame_from_bytes(data, frame, framing, max_pixels))), tf.data.AUTOTUNE
    )
    spare = tf.data.Dataset.from_tensors((count, tf.zeros(frame, tf.uint8)))
    place, frames = single(found.ignore_errors().concatenate(spare).batch(count + 1))
    last = tf.size(place, tf.int64) - 1  # the spare: what the unreadable ones are answered with
    source = tf.tensor_scatter_nd_update(tf.fill([count + 1], last), place[:, None], tf.range(last + 1))[:count]
    filled, ok = tf.gather(frames, source), source < last
    return tf.ensure_shape(filled, [None, *frame]), ok


def orientation_matrix(orientation, size):
    """(3, 3) from points of the upright picture to points of the stored one of `size` (2: width, height)."""
    width, height = size[0], size[1]
    linear = [(1, 0, 0, 1), (-1, 0, 0, 1), (-1, 0, 0, -1), (1, 0, 0, -1)]
    linear += [(0, 1, 1, 0), (0, 1, -1, 0), (0, -1, -1, 0), (0, -1, 1, 0)]
    linear = tf.reshape(tf.gather(tf.constant(linear, tf.float32), orientation - 1), [2, 2])
    offset = tf.where(tf.reduce_sum(linear, 1) < 0, tf.stack([width, height]), 0.0)
    return tf.concat([tf.concat([linear, offset[:, None]], 1), [[0.0, 0.0, 1.0]]], 0)


def _shrink(matrix):
    """(2,): picture pixels a frame pixel, along the picture's x and y."""
    return tf.norm(matrix[:2, :2], axis=1)


def _needed(matrix, frame, shrink, scale, size):
    """int32 low, high (2: x, y): the pixels of the picture reduced by `scale` that the frame and its filters touch."""
    height, width = map(float, frame[:2])
    corners = transform_points(tf.constant([[0.0, 0.0], [width, 0.0], [0.0, height], [width, height]]), matrix) / scale
    low, high = tf.reduce_min(corners, 0), tf.reduce_max(corners, 0)
    whole = tf.reduce_all(tf.abs(tf.concat([low - tf.round(low), high - tf.round(high)], 0)) < CLOSE)
    margin = tf.where(whole, -0.5, tf.maximum(shrink / scale, 1.0) + 1.0)
    low = tf.clip_by_value(tf.floor(low - margin), 0.0, size - 1.0)
    high = tf.clip_by_value(tf.math.ceil(high + margin), low + 1.0, size)
    return tf.cast(low, tf.int32), tf.cast(high, tf.int32)


def _from_corner(matrix, low):
    """The matrix to points of the window that begins at `low` (2: x, y)."""
    shift = tf.cast(tf.concat([low, [0]], 0), tf.float32)
    return matrix - shift[:, None] * [0.0, 0.0, 1.0]


def _resize(picture, matrix, size, fill):
    """Rows stay rows (or become columns): an antialiased resize, then mirrors and a turn of the small result."""
    turned = tf.abs(matrix[0, 0]) < tf.abs(matrix[0, 1])
    sides = tf.where(turned, tf.constant(size[::-1]), tf.constant(size))
    step = tf.reduce_sum(matrix[:2, :2], 1)[::-1]
    start = tf.where(step < 0, matrix[1::-1, 2] + step * tf.cast(sides, tf.float32), matrix[1::-1, 2])
    seen = _scale(picture, start, tf.abs(step), sides)
    if fill is not None:
        inside = [_inside(start[i], tf.abs(step[i]), sides[i], tf.shape(picture)[i]) for i in (0, 1)]
        seen = tf.where((inside[0][:, None] & inside[1][None, :])[..., None], seen, fill)
    seen = tf.reverse(seen, tf.boolean_mask([0, 1], step < 0))
    seen = tf.cond(turned, lambda: tf.transpose(seen, [1, 0, 2]), lambda: seen)
    return tf.ensure_shape(seen, [*size, picture.shape[-1]])


def _scale(picture, start, step, sides):
    """Frame float32 `sides` (2) of the part of `picture` from `start` on, `step` of its pixels a frame pixel.

    A part that is the whole picture has quicker kernels: bilinear where it grows, the area's mean where it shrinks.
    """
    shape = tf.cast(tf.shape(picture)[:2], tf.float32)
    end = start + step * tf.cast(sides, tf.float32)
    whole = tf.reduce_all(tf.abs(tf.concat([start, end - shape], 0)) < CLOSE)
    most, least = tf.reduce_max(step), tf.reduce_min(step)
    kind = tf.where((most <= 1.02) | ((most <= 1.25) & (least < 0.9)), 1, tf.where(least >= 0.9, 2, 0))

    def exactly():
        return tf.raw_ops.ScaleAndTranslate(
            images=picture[None], size=sides, scale=1 / step, translation=-start / step, kernel_type="triangle",
            antialias=True,
        )[0]  # fmt: skip

    def bilinear():
        return tf.raw_ops.ResizeBilinear(images=picture[None], size=sides, half_pixel_centers=True)[0]

    def area():
        return tf.raw_ops.ResizeArea(images=picture[None], size=sides)[0]

    return tf.switch_case(tf.where(whole, kind, 0), [exactly, bilinear, area])


def _inside(start, step, count, size):
    """bool (count,): whether the centres start + step · (i + 0.5) lie within [0, size)."""
    centres = start + step * (tf.range(tf.cast(count, tf.float32)) + 0.5)
    return (centres >= 0) & (centres < tf.cast(size, tf.float32))


def _warp(picture, matrix, size, fill):
    """A projective warp (bilinear); where it shrinks, the picture is made smaller first, with antialiasing."""
    shrink = tf.where(tf.reduce_max(_shrink(matrix)) > 1.4, tf.maximum(_shrink(matrix) / SHARP, 1.0), 1.0)
    sides = tf.cast(tf.shape(picture)[:2], tf.float32)
    target = tf.math.ceil(sides / shrink[::-1])
    shrink = (sides / target)[::-1]

    def smaller():
        return tf.raw_ops.ScaleAndTranslate(
            images=picture[None], size=tf.cast(target, tf.int32), scale=target / sides, translation=[0.0, 0.0],
            kernel_type="triangle", antialias=True,
        )[0]  # fmt: skip

    picture = tf.cond(tf.reduce_max(shrink) > 1, smaller, lambda: tf.cast(picture, tf.float32))
    matrix = tf.linalg.diag(tf.concat([1 / shrink, [1.0]], 0)) @ matrix
    return warp_batch(picture[None], matrix[None], size, 0.0 if fill is None else fill)[0]


def warp_batch(pictures, matrices, size, fill):
    """Bilinear frames float32 (B, H, W, C) of `pictures` (B, h, w, C) under `matrices` (B, 3, 3)."""
    half = tf.constant([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
    index = tf.linalg.inv(half) @ matrices @ half
    index = tf.reshape(index / index[:, 2:, 2:], [-1, 9])[:, :8]
    fill = tf.cast(fill, tf.float32)
    return fill + tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(pictures, tf.float32) - fill, transforms=index, output_shape=list(size), fill_value=0.0,
        interpolation="BILINEAR", fill_mode="CONSTANT",
    )  # fmt: skip
