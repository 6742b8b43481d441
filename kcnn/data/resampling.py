"""A frame of a picture that is already decoded, where rows stay rows or become columns: an antialiased resize.

It gives the picture's own type, uint8 or float32. Where rows do not stay rows, `warping` makes the frame.
"""

import tensorflow as tf

CLOSE = 0.01  # pixels: a place this near to a whole pixel is on it
SHRINKING = 1.2  # pixels a frame pixel from which one lobe of Lanczos is nearer to the area's mean than a triangle


def round_to_bytes(values):
    """uint8 from float32 values that lie within 0 to 255, give or take rounding."""
    return tf.cast(values + 0.5, tf.uint8)


def as_type(values, dtype):
    """Float `values` as uint8, rounded, or as they are, as `dtype` says."""
    return round_to_bytes(values) if dtype == tf.uint8 else values


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
    first = start = tf.where(step < 0, matrix[1::-1, 2] + step * tf.cast(sides, tf.float32), matrix[1::-1, 2])
    shape = tf.shape(picture)[:2]
    if fill is not None:
        picture, start = _extended(picture, start, start + tf.abs(step) * tf.cast(sides, tf.float32))
    seen = scale_to(picture, start, tf.abs(step), sides)
    if fill is not None:
        rows, columns = (_inside(first[i], tf.abs(step[i]), sides[i], shape[i]) for i in (0, 1))
        covered = tf.reduce_all(rows) & tf.reduce_all(columns)
        seen = tf.cond(covered, lambda: seen, lambda: _within(seen, rows, columns, fill))
    seen = tf.reverse(as_type(seen, picture.dtype), tf.boolean_mask([0, 1], step < 0))
    seen = tf.cond(turned, lambda: tf.transpose(seen, [1, 0, 2]), lambda: seen)
    return tf.ensure_shape(seen, [*size, picture.shape[-1]])


def _extended(picture, start, end):
    """`picture` and the `start` of a part of it, where the part is whole pixels and leaves it: its edges go on.

    So that the part is a whole picture, for which `_scale` is quicker; what would more than double a side is left.
    """
    shape = tf.cast(tf.shape(picture)[:2], tf.float32)
    before, after = tf.maximum(tf.round(-start), 0.0), tf.maximum(tf.round(end - shape), 0.0)
    off = tf.concat([start, end], 0)
    whole = tf.reduce_all(tf.abs(off - tf.round(off)) < CLOSE) & tf.reduce_all(before + after <= shape)
    before, after = tf.where(whole, before, 0.0), tf.where(whole, after, 0.0)
    leaves = tf.reduce_max(before + after) > 0
    return tf.cond(leaves, lambda: surround(picture, before, after), lambda: picture), start + before


def surround(picture, before, after, fill=None):
    """`picture` (h, w, C) with so many rows and columns (2) around it, of `fill` or as its edges are."""
    for axis in (0, 1):
        first, last = (picture[:1], picture[-1:]) if axis == 0 else (picture[:, :1], picture[:, -1:])
        if fill is not None:
            first = last = tf.zeros_like(first) + tf.cast(fill, picture.dtype)
        ends = []
        for end, count in ((first, before), (last, after)):
            ends.append(tf.repeat(end, tf.cast(count[axis], tf.int32), axis))
        picture = tf.concat([ends[0], picture, ends[1]], axis)
    return picture


def _within(values, rows, columns, fill):
    """`values` (H, W, C) where both `rows` (H,) and `columns` (W,) say so, else `fill`; quicker than tf.where."""
    inside = tf.cast(rows, tf.float32)[:, None] * tf.repeat(tf.cast(columns, tf.float32), values.shape[-1])
    fills = tf.broadcast_to(tf.cast(fill, tf.float32), tf.shape(values)[1:])
    lines = tf.reshape(values, tf.shape(inside))
    return tf.reshape(lines * inside + tf.reshape(fills, [-1]) * (1 - inside), tf.shape(values))


def scale_to(picture, start, step, sides):
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
