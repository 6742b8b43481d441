"""The kernels that make a frame of a picture that is already decoded: resize where rows stay rows, else warp.

Both give the picture's own type, uint8 or float32.
"""

import tensorflow as tf

CLOSE = 0.01  # pixels: a place this near to a whole pixel is on it
SHARP = 1.65  # pixels a frame pixel that are left to the warp: fewer blur, more alias
SHRINKING = 1.2  # pixels a frame pixel from which one lobe of Lanczos is nearer to the area's mean than a triangle
PLACES = 16  # between two pixels that a colour picture's warp tells apart
LANES = (2.0**8, 2.0**24, 2.0**40)  # of three channels in a float64: each 8 bits, and as many for shares of places
HALVES, WHOLE = sum(LANES) / 2, 2.0**52  # what rounds each channel; from this on a float64's low bits are a number


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
    seen = _scale(picture, start, tf.abs(step), sides)
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
        return as_type(_scale(picture, tf.zeros(2), shrink[::-1], tf.cast(target, tf.int32)), picture.dtype)

    small = tf.cond(tf.reduce_max(shrink) > 1, smaller, lambda: picture)
    matrix = tf.linalg.diag(tf.concat([1 / shrink, [1.0]], 0)) @ matrix
    fill = 0.0 if fill is None else fill
    if picture.dtype == tf.uint8 and picture.shape[-1] == 3:
        return _warp_colour(small, matrix, size, fill)
    return as_type(warp_batch(small[None], matrix[None], size, fill)[0], picture.dtype)


def _warp_colour(picture, matrix, size, fill):
    """Bilinear frame uint8 (H, W, 3) of `picture` uint8 (h, w, 3), for places in sixteenths of a pixel.

    A pixel is one float64 that holds its three channels, so that a look-up or a product serves all of them; nothing
    is lost, as sums stay below 2^53.
    """
    width = tf.shape(picture)[1]
    ringed = surround(picture, (1, 1), (2, 2 + (-width - 3) % 4), fill)  # with rows of so many pixels, see `times`
    sides = tf.shape(picture)
    pixels = tf.reshape(times(tf.cast(ringed, tf.float64), tf.constant(LANES, tf.float64)[:, None], True), [-1])
    half = (PLACES + 1) / 2  # a pixel of the ring, less half a pixel to its centre, and half a place that rounds
    matrix = tf.constant([[PLACES, 0.0, half], [0.0, PLACES, half], [0.0, 0.0, 1.0]]) @ matrix
    down = matrix[:, 1:2] * (tf.range(float(size[0])) + 0.5) + matrix[:, 2:]
    across = matrix[:, :1] * (tf.range(float(size[1])) + 0.5)
    x, y, depth = (down[i][:, None] + across[i] for i in range(3))
    (x, share_x), (y, share_y) = (_place(at / depth, side) for at, side in ((x, sides[1]), (y, sides[0])))
    place = y * tf.shape(ringed)[1] + x

    def line(place):
        left, right = (tf.gather_nd(pixels, at[..., None]) for at in (place, place + 1))  # quicker than gather
        return left + share_x * (right - left)

    upper = line(place)
    seen = upper + share_y * (line(place + tf.shape(ringed)[1]) - upper) + (HALVES + WHOLE)
    lanes = tf.cast(tf.bitcast(seen, tf.uint16), tf.float32)
    return tf.cast(tf.reshape(times(lanes, tf.eye(4, 3) / 256, size[0] * size[1] % 4 == 0), [*size, 3]), tf.uint8)


def _place(at, side):
    """(int32 number of the ringed pixel at or before `at`, in 1 / PLACES pixels, float64 share of the next one)."""
    at = tf.clip_by_value(tf.cast(at, tf.int32), 0, (side + 1) * PLACES)
    share = tf.cast(tf.bitwise.bitwise_and(at, PLACES - 1), tf.float64) * (1 / PLACES)
    return tf.bitwise.right_shift(at, PLACES.bit_length() - 1), share


def times(values, matrix, fours):
    """Rows (N, m): pixels of `values` (..., n) times `matrix` (n, m); four at a time, if `fours`, is twice as quick."""
    rows, columns = matrix.shape
    if not fours:
        return tf.reshape(values, [-1, rows]) @ matrix
    four = tf.reshape(tf.eye(4, dtype=matrix.dtype)[:, None, :, None] * matrix[None, :, None, :], [4 * rows, -1])
    return tf.reshape(tf.reshape(values, [-1, 4 * rows]) @ four, [-1, columns])


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
