"""A frame of a picture that is already decoded, under any projective map, or at any places: bilinear.

A warp gives the picture's own type, uint8 or float32; `resampling` is quicker where rows stay rows.
"""

import tensorflow as tf

from kcnn.data.products import times
from kcnn.data.resampling import as_type, scale_to, shrink_of, surround

SHARP = 1.65  # pixels a frame pixel that are left to the warp: fewer blur, more alias
PLACES = 16  # between two pixels that a colour picture's warp tells apart
LANES = (2.0**8, 2.0**24, 2.0**40)  # of three channels in a float64: each 8 bits, and as many for shares of places
HALVES, WHOLE = sum(LANES) / 2, 2.0**52  # what rounds each channel; from this on a float64's low bits are a number


def warp(picture, matrix, size, fill):
    """A projective warp (bilinear); where it shrinks, the picture is made smaller first, with antialiasing."""
    shrink = tf.maximum(shrink_of(matrix, size) / SHARP, 1.0)
    sides = tf.cast(tf.shape(picture)[:2], tf.float32)
    target = tf.math.ceil(sides / shrink[::-1])
    shrink = (sides / target)[::-1]

    def smaller():
        return as_type(scale_to(picture, tf.zeros(2), shrink[::-1], tf.cast(target, tf.int32)), picture.dtype)

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


def warp_batch(pictures, matrices, size, fill):
    """Bilinear frames float32 (B, H, W, C) of `pictures` (B, h, w, C) under `matrices` (B, 3, 3)."""
    pictures, fill = tf.cast(pictures, tf.float32), tf.cast(fill, tf.float32)
    single = fill.shape.rank == 0  # else a number a channel, which the kernel does not know
    seen = tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures if single else pictures - fill, transforms=_numbers_of(matrices), output_shape=list(size),
        fill_value=fill if single else 0.0, interpolation="BILINEAR", fill_mode="CONSTANT",
    )  # fmt: skip
    return seen if single else seen + fill


def warp_masks(masks, matrices, size, fill):
    """Frames uint8 (B, H, W) of `masks` (B, h, w) under `matrices` (B, 3, 3): the nearest pixel, `fill` outside."""
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=masks[..., None], transforms=_numbers_of(matrices), output_shape=list(size), fill_value=float(fill),
        interpolation="NEAREST", fill_mode="CONSTANT",
    )[..., 0]  # fmt: skip


def _numbers_of(matrices):
    """(B, 8): `matrices` as the kernel knows them, which counts from the centre of the first pixel."""
    half = tf.constant([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
    index = tf.linalg.inv(half) @ matrices @ half
    return tf.reshape(index / index[:, 2:, 2:], [-1, 9])[:, :8]


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
