"""The kernels that make a frame of a picture that is already decoded: resize where rows stay rows, else warp."""

import tensorflow as tf

CLOSE = 0.01  # pixels: a place this near to a whole pixel is on it
SHARP = 1.65  # pixels a frame pixel that are left to the warp: fewer blur, more alias
SHRINKING = 1.2  # pixels a frame pixel from which one lobe of Lanczos is nearer to the area's mean than a triangle


def shrink_of(matrix, size):
    """(..., 2): picture pixels a pixel of the frame of `size` (H, W, ...), at its centre, along the picture's x, y."""
    centre = tf.constant([size[1] / 2, size[0] / 2, 1.0], tf.float32)
    seen = tf.linalg.matvec(matrix, centre)
    slopes = matrix[..., :2, :2] - (seen[..., :2] / seen[..., 2:])[..., None] * matrix[..., 2:, :2]
    return tf.norm(slopes, axis=-1) / tf.abs(seen[..., 2:])


def keeps_rows(matrix):
    """bool (...): under `matrix` (..., 3, 3) rows stay rows, or become columns."""
    straight = tf.reduce_all(tf.abs(matrix[..., 2, :2]) < 1e-9, -1)
    size = tf.abs(matrix)
    along, across = tf.maximum(size[..., 0, 0], size[..., 1, 1]), tf.maximum(size[..., 0, 1], size[..., 1, 0])
    return straight & (tf.minimum(along, across) < 1e-6 * tf.maximum(along, across))


def resize(picture, matrix, size, fill):
    """Rows stay rows (or become columns): an antialiased resize, then mirrors and a turn of the small result."""
    turned = tf.abs(matrix[0, 0]) < tf.abs(matrix[0, 1])
    sides = tf.where(turned, tf.constant(size[::-1]), tf.constant(size))
    step = tf.reduce_sum(matrix[:2, :2], 1)[::-1]
    start = tf.where(step < 0, matrix[1::-1, 2] + step * tf.cast(sides, tf.float32), matrix[1::-1, 2])
    seen = _scale(picture, start, tf.abs(step), sides)
    if fill is not None:
        rows, columns = (_inside(start[i], tf.abs(step[i]), sides[i], tf.shape(picture)[i]) for i in (0, 1))
        covered = tf.reduce_all(rows) & tf.reduce_all(columns)
        seen = tf.cond(covered, lambda: seen, lambda: _within(seen, rows, columns, fill))
    seen = tf.reverse(seen, tf.boolean_mask([0, 1], step < 0))
    seen = tf.cond(turned, lambda: tf.transpose(seen, [1, 0, 2]), lambda: seen)
    return tf.ensure_shape(seen, [*size, picture.shape[-1]])


def _within(values, rows, columns, fill):
    """`values` (H, W, C) where both `rows` (H,) and `columns` (W,) say so, else `fill`; quicker than tf.where."""
    inside = tf.cast(rows, tf.float32)[:, None] * tf.repeat(tf.cast(columns, tf.float32), values.shape[-1])
    fills = tf.broadcast_to(tf.cast(fill, tf.float32), tf.shape(values)[1:])
    lines = tf.reshape(values, tf.shape(inside))
    return tf.reshape(lines * inside + tf.reshape(fills, [-1]) * (1 - inside), tf.shape(values))


def _scale(picture, start, step, sides):
    """Frame float32 `sides` (2) of the part of `picture` from `start` on, `step` of its pixels a frame pixel.

    A part that is the whole picture has quicker kernels: bilinear where it grows, the area's mean where it shrinks.
    """
    shape = tf.cast(tf.shape(picture)[:2], tf.float32)
    end = start + step * tf.cast(sides, tf.float32)
    whole = tf.reduce_all(tf.abs(tf.concat([start, end - shape], 0)) < CLOSE)
    most, least = tf.reduce_max(step), tf.reduce_min(step)
    kind = tf.where((most <= 1.02) | ((most <= 1.25) & (least < 0.9)), 1, tf.where(least >= 0.9, 2, 0))

    def exactly(kernel):
        return lambda: tf.raw_ops.ScaleAndTranslate(
            images=picture[None], size=sides, scale=1 / step, translation=-start / step, kernel_type=kernel,
            antialias=True,
        )[0]  # fmt: skip

    def bilinear():
        return tf.raw_ops.ResizeBilinear(images=picture[None], size=sides, half_pixel_centers=True)[0]

    def area():
        return tf.raw_ops.ResizeArea(images=picture[None], size=sides)[0]

    kind = tf.where(whole & (kind > 0), kind, tf.where(least < SHRINKING, 0, 3))
    return tf.switch_case(kind, [exactly("triangle"), bilinear, area, exactly("lanczos1")])


def _inside(start, step, count, size):
    """bool (count,): whether the centres start + step · (i + 0.5) lie within [0, size)."""
    centres = start + step * (tf.range(tf.cast(count, tf.float32)) + 0.5)
    return (centres >= 0) & (centres < tf.cast(size, tf.float32))


def warp(picture, matrix, size, fill):
    """A projective warp (bilinear); where it shrinks, the picture is made smaller first, with antialiasing."""
    shrink = tf.maximum(shrink_of(matrix, size) / SHARP, 1.0)
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
    pictures, fill = tf.cast(pictures, tf.float32), tf.cast(fill, tf.float32)
    single = fill.shape.rank == 0  # else a number a channel, which the kernel does not know
    seen = tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures if single else pictures - fill, transforms=index, output_shape=list(size),
        fill_value=fill if single else 0.0, interpolation="BILINEAR", fill_mode="CONSTANT",
    )  # fmt: skip
    return seen if single else seen + fill


def sample(picture, places):
    """Bilinear float32 (H, W, C) of `picture` (h, w, C) at any `places` (H, W, 2: x, y); its edge goes on outside."""
    height, width, channels = picture.shape
    flat = tf.cast(tf.reshape(picture, [-1, channels]), tf.float32)
    most = tf.constant([width - 1, height - 1], tf.float32)
    places = tf.clip_by_value(places - 0.5, 0.0, most)
    low = tf.floor(places)
    share = places - low
    first = tf.cast(low, tf.int32)
    second = tf.minimum(first + 1, tf.cast(most, tf.int32))

    def line(y):
        left, right = (tf.gather(flat, y * width + x[..., 0]) for x in (first, second))
        return left + share[..., :1] * (right - left)

    upper = line(first[..., 1])
    return upper + share[..., 1:] * (line(second[..., 1]) - upper)
