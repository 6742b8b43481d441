"""Counter-based draws: a NumPy twin gives the same bits, and the numbers look random from every side."""

import numpy as np
import tensorflow as tf
from scipy.stats import kstest, norm

from kcnn.data import draws as drawing

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def twin(seed, epoch, index, slots):
    """The documented hash in NumPy: SplitMix64's finaliser, chained over seed, epoch, index and slot."""

    def mix(x):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))

    with np.errstate(over="ignore"):
        key = mix(np.uint64(seed) + GOLDEN)
        for part in (epoch, index):
            key = mix(key + (np.asarray(part).astype(np.uint64) + np.uint64(1)) * GOLDEN)
        return mix(np.atleast_1d(key)[:, None] + np.arange(1, slots + 1, dtype=np.uint64) * GOLDEN)


def many(count, epoch=0, seed=0):
    return drawing.uniform(
        seed, tf.fill([count], tf.constant(epoch, tf.int64)), tf.range(count, dtype=tf.int64)
    ).numpy()


def test_the_twin_agrees_to_the_bit():
    epoch, index = np.array([0, 3, 2**40, -1]), np.array([5, 0, 7, 2**33])
    for seed in (0, 2**31 - 1):
        made = drawing.bits(seed, tf.constant(epoch, tf.int64), tf.constant(index, tf.int64), 6).numpy()
        np.testing.assert_array_equal(made, twin(seed, epoch, index, 6))


def test_draws_are_uniform_and_independent():
    draws = many(20_000)
    assert draws.min() >= 0 and draws.max() < 1 and draws.shape[1] == len(drawing.SLOTS)
    for column in draws.T:
        assert kstest(column, "uniform").pvalue > 1e-4
        assert abs(np.corrcoef(column[:-1], column[1:])[0, 1]) < 0.03
    assert np.abs(np.corrcoef(draws.T) - np.eye(draws.shape[1])).max() < 0.04
    for other in (many(20_000, epoch=1), many(20_000, seed=1)):
        assert abs(np.corrcoef(draws[:, 0], other[:, 0])[0, 1]) < 0.03


def test_a_draw_depends_on_its_own_sample_only():
    np.testing.assert_array_equal(many(50)[17:], many(80)[17:50])


def test_normal_numbers_are_normal():
    assert kstest(drawing.normal(tf.constant(many(20_000)[:, 2])).numpy(), norm.cdf).pvalue > 1e-3
    assert np.isfinite(drawing.normal(tf.constant([0.0, 1 - 2.0**-24]))).all()


def orders(count, epochs, seed=0):
    position = np.tile(np.arange(count), epochs)
    epoch = np.repeat(np.arange(epochs), count)
    made = drawing.order(tf.constant(position, tf.int64), count, seed, tf.constant(epoch, tf.int64))
    return made.numpy().reshape(epochs, count)


def test_every_epoch_is_another_even_shuffle():
    for count in (1, 2, 3, 10, 33):
        made = orders(count, 3000 if count == 10 else 20)
        np.testing.assert_array_equal(np.sort(made, 1), np.tile(np.arange(count), (len(made), 1)))
    made = orders(10, 3000)
    where = np.stack([np.bincount(column, minlength=10) for column in made.T])
    assert ((where - 300) ** 2 / 300).sum() < 81 + 5 * (2 * 81) ** 0.5
    assert (orders(10, 50, seed=1) != orders(10, 50)).any()
