"""Do Style, stochastic depth, dropout and scaling do what they promise?"""

import keras
import numpy as np
import pytest

from kcnn.errors import UserError
from kcnn.layers import Dropout, PadChannels, Standardize, StochasticDepth, Style, drop_path_rates


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("rate", [0.1, 0.004])
def test_stochastic_depth_drops_whole_samples_and_keeps_the_mean(policy, rate):
    layer = StochasticDepth(rate, seed=1, dtype=policy)
    y = np.float32(layer(np.ones((50_000, 2, 1, 1), "float32"), training=True))
    assert (y == y[:, :1]).all(), "a sample is kept or dropped as a whole"
    dropped = (y[:, 0, 0, 0] == 0).mean()
    assert abs(dropped - rate) < 4 * np.sqrt(rate / 50_000)
    np.testing.assert_allclose(y.max(), 1 / (1 - rate), rtol=5e-3)


@pytest.mark.parametrize("kind", [Dropout, StochasticDepth])
def test_dropping_has_its_own_named_random_numbers(kind):
    first, second = kind(0.5, seed=3, name="a"), kind(0.5, seed=3, name="a")
    x = np.ones((64, 8), "float32")
    y = np.array(first(x, training=True))
    np.testing.assert_array_equal(y, second(x, training=True))
    assert not np.array_equal(y, first(x, training=True)), "the state moves on"
    np.testing.assert_array_equal(first(x), x)
    assert [v.path for v in first.variables] == [v.path for v in second.variables]
    assert first.variables[0].path.startswith("a_seed")
    assert kind.from_config(first.get_config()).rate == 0.5


def test_dropout_is_per_value():
    y = np.array(Dropout(0.25, seed=2)(np.ones((100, 400), "float32"), training=True))
    assert abs((y == 0).mean() - 0.25) < 0.01
    np.testing.assert_allclose(y.mean(), 1, atol=0.02)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "float16"])
def test_standardize_is_float32_under_every_policy(policy):
    keras.config.set_dtype_policy(policy)
    try:
        layer = Standardize((10, 20, 30), (1, 2, 4), name="scaling")
        x = np.arange(2 * 3 * 3).reshape(2, 3, 3)
        y = layer(x.astype("uint8"))
    finally:
        keras.config.set_dtype_policy("float32")
    assert y.dtype == "float32" and not layer.weights
    np.testing.assert_allclose(y, (x - [10, 20, 30]) / [1, 2, 4], rtol=1e-6)
    np.testing.assert_array_equal(Standardize.from_config(layer.get_config())(x.astype("float32")), y)


@pytest.mark.parametrize("mean, std", [((1, 2), 1), (0, 0), (0, -1), (float("nan"), 1), (0, (1, 2, 3, 4))])
def test_standardize_refuses_what_does_not_fit(mean, std):
    with pytest.raises(UserError):
        Standardize(mean, std)(np.zeros((1, 4, 3), "float32"))


@pytest.mark.parametrize(
    "field, value, hint",
    [
        ("norm", "batchnorm", "'batch'"),
        ("activation", "rulu", "'relu'"),
        ("padding", "symetric", "'symmetric'"),
        ("drop_path", 1.0, "below 1"),
        ("epsilon", 0.0, "must be a number"),
    ],
)
def test_style_refuses_what_it_does_not_know(field, value, hint):
    with pytest.raises(UserError, match=hint):
        Style(**{field: value})


def test_drop_path_rises_linearly():
    rates = drop_path_rates((2, 1, 2), 0.4)
    assert [len(stage) for stage in rates] == [2, 1, 2]
    np.testing.assert_allclose(sum(rates, []), [0, 0.1, 0.2, 0.3, 0.4])
    assert drop_path_rates((1,), 0.4) == [[0.0]]


def test_pad_channels_adds_zeros():
    y = np.array(PadChannels(5)(np.ones((2, 3, 2), "float32")))
    np.testing.assert_array_equal(y[0, 0], [1, 1, 0, 0, 0])
