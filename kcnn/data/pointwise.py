"""Operations that change each pixel by itself: light and colour, as PIL's 8-bit code does them, or nearly (saturation).

They are arithmetic, not tables: on a processor a multiplication costs a tenth of a table's look-up, so only what has
no cheap exact formula (autocontrast, equalize, gamma) looks up. Values are clipped and cut to whole numbers after each.
"""

import math

import tensorflow as tf

from kcnn.data.operations import operation
from kcnn.data.products import times

LUMA = (0.299, 0.587, 0.114)
LUMA_BITS = (19595.0, 38470.0, 7471.0)  # the same in 1/65536, as PIL's mode "L"; exact in float32
YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


@operation("identity")
def identity(picture, amounts):
    """Nothing: a policy's chance to leave a picture alone."""
    return picture


@operation("brightness", neutral=1.0, bounds=(0, 10))
def brightness(picture, amounts):
    """A factor on all values (PIL's ImageEnhance.Brightness)."""
    return cut(_float(picture) * amounts[0])


@operation("contrast", neutral=1.0, bounds=(0, 10))
def contrast(picture, amounts):
    """A factor on the distance from the picture's mean grey (PIL's ImageEnhance.Contrast)."""
    values = _float(picture)
    mean = tf.floor(tf.reduce_mean(_luma(values)) + 0.5)
    return cut(mean + amounts[0] * (values - mean))


@operation("shift", neutral=0.0, bounds=(-255, 255))
def shift(picture, amounts):
    """Grey levels added to all values."""
    return cut(_float(picture) + tf.round(amounts[0]))


@operation("pca_colour", neutral=0.0, bounds=(-255, 255), colour=True, field="pca_colour")
def pca_colour(picture, amounts):
    """Grey levels added to the three channels, a number for each (AlexNet's colour shift)."""
    return cut(_float(picture) + tf.round(amounts))


@operation("posterize", neutral=8.0, bounds=(0, 8))
def posterize(picture, amounts):
    """How many bits of each value are kept, 0 to 8 (PIL's ImageOps.posterize)."""
    return tf.bitwise.bitwise_and(picture, tf.cast(256 - 2 ** (8 - tf.round(amounts[0])), tf.uint8))


@operation("solarize", neutral=256.0, bounds=(0, 256))
def solarize(picture, amounts):
    """Values from this threshold on are inverted (PIL's ImageOps.solarize)."""
    turned = tf.cast(_float(picture) >= amounts[0], tf.uint8) * tf.constant(255, tf.uint8)
    return tf.bitwise.bitwise_xor(picture, turned)


@operation("solarize_add", neutral=0.0, bounds=(-255, 255))
def solarize_add(picture, amounts):
    """Grey levels added to values below 128 (Cubuk et al. 2019)."""
    values = _float(picture)
    return cut(values + tf.round(amounts[0]) * tf.cast(values < 128, tf.float32))


@operation("invert")
def invert(picture, amounts):
    """255 minus each value (PIL's ImageOps.invert)."""
    return tf.bitwise.invert(picture)


@operation("gamma", neutral=1.0, bounds=(0.1, 10))
def gamma(picture, amounts):
    """A power of each value's share of 255; above 1 darkens (torchvision's adjust_gamma)."""
    table = tf.floor(255.999 * (tf.range(256, dtype=tf.float32) / 255) ** amounts[0])
    return look_up(picture, tf.tile(table[None], [picture.shape[-1], 1]))


@operation("autocontrast")
def autocontrast(picture, amounts):
    """Each channel is stretched to reach from 0 to 255 (PIL's ImageOps.autocontrast)."""
    low, high = (tf.cast(f(picture, [0, 1]), tf.float64) for f in (tf.reduce_min, tf.reduce_max))
    one = tf.ones_like(high)
    flat = high <= low
    scale = tf.where(flat, one, 255 / tf.where(flat, one, high - low))  # float64, in this order: PIL's own rounding
    levels = tf.range(256, dtype=tf.float64) * scale[:, None]
    return look_up(picture, cut(levels - tf.where(flat, 0 * low, low * scale)[:, None]))


@operation("equalize")
def equalize(picture, amounts):
    """Each channel's levels are spread so that all are equally frequent (PIL's ImageOps.equalize)."""
    counts = histogram(picture)
    total = tf.reduce_sum(counts, -1, keepdims=True)
    brightest = tf.reduce_max(tf.where(counts > 0, tf.range(256), -1), -1, keepdims=True)
    step = (total - tf.gather(counts, brightest, axis=1, batch_dims=1)) // 255
    table = (step // 2 + tf.cumsum(counts, -1, exclusive=True)) // tf.maximum(step, 1)
    return look_up(picture, tf.where(step > 0, tf.minimum(table, 255), tf.range(256)))


@operation("saturation", neutral=1.0, bounds=(0, 10), colour=True)
def saturation(picture, amounts):
    """A factor on the distance from the pixel's grey (PIL's ImageEnhance.Color, within a level)."""
    # PIL rounds the grey first; one product with the unrounded one takes two thirds of the time
    return _multiply(picture, amounts[0] * tf.eye(3) + (1 - amounts[0]) * tf.constant(LUMA)[:, None])


@operation("hue", neutral=0.0, bounds=(-180, 180), colour=True)
def hue(picture, amounts):
    """Degrees by which colours turn about the grey axis, at constant luma (linear, in YIQ)."""
    angle = amounts[0] * (math.pi / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    turn = tf.reshape(tf.stack([1.0, 0.0, 0.0, 0.0, cos, -sin, 0.0, sin, cos]), [3, 3])
    yiq = tf.constant(YIQ)
    return _multiply(picture, tf.transpose(tf.linalg.inv(yiq) @ turn @ yiq))


@operation("grey", colour=True)
def grey(picture, amounts):
    """Three times the pixel's grey (PIL's mode "L")."""
    return tf.cast(tf.repeat(_luma(_float(picture)), 3, -1), tf.uint8)


def cut(values):
    """uint8: clipped, then cut to whole numbers."""
    return tf.cast(tf.clip_by_value(values, tf.cast(0, values.dtype), tf.cast(255, values.dtype)), tf.uint8)


def look_up(picture, table):
    """Each value replaced by that of its channel's `table` (C, 256)."""
    return tf.gather_nd(tf.reshape(tf.cast(table, tf.uint8), [-1]), _places(picture)[..., None])  # quicker than gather


def histogram(picture):
    """int32 (C, 256): how often each channel has each level."""
    size = picture.shape[-1] * 256
    levels = tf.reshape(_places(picture), [-1])
    counts = tf.raw_ops.Bincount(arr=levels, size=size, weights=tf.zeros([0], tf.int32))
    return tf.reshape(counts, [-1, 256])


def _places(picture):
    """int32, shaped as `picture`: where each value is in the rows of a table (C, 256)."""
    height, width, channels = picture.shape
    lines = tf.cast(tf.reshape(picture, [height, -1]), tf.int32)  # sums over short last axes are slow
    return tf.reshape(lines + tf.tile(tf.range(channels) * 256, [width]), picture.shape)


def _float(picture):
    return tf.cast(picture, tf.float32)


def _luma(values):
    """The whole-numbered grey (H, W, 1) of `values` (H, W, C), as PIL's."""
    if values.shape[-1] != 3:
        return values[..., :1]
    total = _times(values, tf.constant(LUMA_BITS)[:, None])
    return tf.reshape(tf.floor((total + 0x8000) / 0x10000), [*values.shape[:2], 1])


def _multiply(picture, matrix):
    """Rows of pixels times `matrix` (3, 3). What is a whole number but for rounding is kept."""
    return tf.reshape(cut(_times(_float(picture), matrix) + 1e-3), picture.shape)


def _times(values, matrix):
    """Rows of pixels of `values` (H, W, 3) times `matrix` (3, n)."""
    return times(values, matrix, values.shape[0] * values.shape[1] % 4 == 0)
