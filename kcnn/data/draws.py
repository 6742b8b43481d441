"""Counter-based random numbers: each is a hash of (seed, epoch, index of the picture, slot).

A draw depends on nothing else, so the order of work, the number of threads and where the stream was started
cannot change it. The hash is the finaliser of SplitMix64 (Steele, Lea and Flood 2014), chained over the key.
"""

import numpy as np
import tensorflow as tf

GOLDEN = 0x9E3779B97F4A7C15
STEPS = 8  # that a program of a policy may have
SLOTS = (
    *("flip_horizontal", "flip_vertical", "crop_area", "crop_ratio", "crop_x", "crop_y"),
    *("scale", "rotation", "shear", "shift_x", "shift_y"),
    *("brightness", "contrast", "saturation", "pca_1", "pca_2", "pca_3", "order"),
    *("erase", "erase_area", "erase_ratio", "erase_x", "erase_y"),
    *("mix_kind", "mix_share", "mix_x", "mix_y"),
    *("hue", "gamma", "grey", "sharpness", "blur", "noise", "elastic", "key_1", "key_2"),
    *(f"perspective_{i}" for i in range(8)),
    *("cutout_x", "cutout_y", "grid_mask", "grid_side", "grid_x", "grid_y"),
    *("policy", *(f"{part}_{i}" for i in range(STEPS) for part in ("gate", "choice", "amount", "sign"))),
    *("mosaic", "mosaic_x", "mosaic_y", "paste", "paste_which"),
)  # new slots go to the end: an old one's numbers must not change


def bits(seed, epoch, index, slots):
    """uint64 (B, slots): `seed` an int, `epoch` and `index` int64 (B,), `slots` an int."""
    key = _mix(_word(seed) + _constant(GOLDEN))
    for part in (epoch, index):
        key = _mix(key + (_word(part) + _constant(1)) * _constant(GOLDEN))
    steps = tf.range(1, slots + 1, dtype=tf.int64)
    return _mix(key[:, None] + tf.cast(steps, tf.uint64) * _constant(GOLDEN))


def uniform(seed, epoch, index):
    """float32 (B, len(SLOTS)) in [0, 1), one column a slot."""
    high = tf.bitwise.right_shift(bits(seed, epoch, index, len(SLOTS)), _constant(40))
    return tf.cast(high, tf.float32) * 2.0**-24


def slot(draws, name):
    """The column (B,) of `draws` (B, len(SLOTS)) that belongs to `name`."""
    return draws[..., SLOTS.index(name)]


def many(draws, name, count):
    """float32 (B, count) in [0, 1): further numbers, of which the slot's draw is the key."""
    key = tf.cast(slot(draws, name) * 2.0**24, tf.int64)
    high = tf.bitwise.right_shift(bits(SLOTS.index(name), key, key, count), _constant(40))
    return tf.cast(high, tf.float32) * 2.0**-24


def between(draws, name, low, high):
    """The slot's draw spread evenly over [low, high): (B,)."""
    return low + (high - low) * slot(draws, name)


def normal(uniforms):
    """Standard normal numbers from uniform ones, by the inverse of the normal distribution function."""
    return tf.math.ndtri(tf.clip_by_value(uniforms, 2.0**-25, 1 - 2.0**-24))  # neither end: they are infinite


def beta(uniforms, alpha):
    """Beta(alpha, alpha) numbers from uniform ones, by linear interpolation in a table of 4 097 exact quantiles."""
    from scipy.special import betaincinv

    table = tf.constant(betaincinv(alpha, alpha, np.linspace(0, 1, 4097)), tf.float32)
    place = uniforms * 4096
    cell = tf.cast(place, tf.int32)
    return tf.gather(table, cell) + (place - tf.cast(cell, tf.float32)) * tf.gather(table[1:] - table[:-1], cell)


def order(position, count, seed, epoch):
    """The index (B,) int64 of the picture at `position` (B,) in the shuffled order of each `epoch` (B,).

    A bijection of range(count) for each epoch. The shuffle's key is hashed first and 8 rounds are used: with plain
    counters as a key, or 4 rounds, small sets are visibly not evenly shuffled.
    """
    key = bits(seed, epoch, tf.fill(tf.shape(epoch), tf.constant(-1, tf.int64)), 3)
    key = tf.cast(tf.bitwise.right_shift(key, _constant(32)), tf.uint32)
    return tf.raw_ops.RandomIndexShuffle(index=position, seed=key, max_index=tf.constant(count - 1, tf.int64), rounds=8)


def _constant(value):
    return tf.constant(value, tf.uint64)


def _word(value):
    return tf.bitcast(tf.convert_to_tensor(value, tf.int64), tf.uint64)


def _mix(x):
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, _constant(shift))) * _constant(factor)
    return tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, _constant(31)))
