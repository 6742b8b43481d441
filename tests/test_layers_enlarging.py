"""Do maps get the picture's size again, whatever it is, and keep their values and gradients?"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.layers import Enlarge, Spread, enlarge


@pytest.mark.parametrize("sides", [(37,), (37, 64), (9, 10, 13)], ids=str)
@pytest.mark.parametrize("known", [True, False])
def test_places_are_repeated_up_to_the_size_of_the_level(rng, sides, known):
    image = keras.Input((*(sides if known else (None,) * len(sides)), 1))
    small = tuple(-(-side // 8) for side in sides)
    coarse = keras.Input((*(small if known else (None,) * len(sides)), 3))
    model = keras.Model([coarse, image], enlarge(coarse, image, 4, strides=2, name="up"))
    x = rng.normal(size=(2, *small, 3)).astype("float32")
    found = model([x, np.zeros((2, *sides, 1), "float32")])
    expected = x
    for axis, side in enumerate(sides, start=1):
        expected = np.repeat(expected, 4, axis=axis).take(range(-(-side // 2)), axis=axis)
    np.testing.assert_array_equal(found, expected)
    assert model.output.shape == (None, *(expected.shape[1:-1] if known else (None,) * len(sides)), 3)


def test_bilinear_is_what_larger_pictures_give_too(rng):
    """The factor is whole: the start of a picture does not depend on how far the picture goes on."""
    x = rng.normal(size=(2, 6, 7, 3)).astype("float32")
    layer = Enlarge(8, 1, "bilinear")
    whole, part = layer(x, np.zeros((2, 48, 56, 1))), layer(x, np.zeros((2, 41, 50, 1)))
    np.testing.assert_array_equal(part, whole[:, :41, :50])
    down, right = (linear(side, 8) for side in (6, 7))
    np.testing.assert_allclose(whole, np.einsum("Hh,Ww,bhwc->bHWc", down, right, x), atol=1e-5)


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_bilinear_is_the_same_where_a_graph_finds_out_the_size(rng, factor):
    layer = Enlarge(factor, 1, "bilinear")
    graph = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None, None)) for _ in range(2)])
    for height, width in ((1, 4), (5, 3)):
        x = rng.normal(size=(2, height, width, 3)).astype("float32")
        size = (height * factor, width * factor)
        found = graph(tf.constant(x), tf.zeros((2, *size, 1)))
        down, right = linear(height, factor), linear(width, factor)
        np.testing.assert_allclose(found, np.einsum("Hh,Ww,bhwc->bHWc", down, right, x), atol=1e-5)


def linear(side, factor):
    """(factor x side, side): what each new place takes of the old ones, which stand in the middle of theirs."""
    places = (np.arange(factor * side) + 0.5) / factor - 0.5
    return np.stack([np.interp(places, np.arange(side), row) for row in np.eye(side)], axis=-1)


def test_low_precision_stays(rng):
    layer = Enlarge(2, 1, "bilinear", dtype="bfloat16")
    assert layer(np.ones((1, 3, 3, 2), "float32"), np.zeros((1, 5, 6, 1), "float32")).dtype == "bfloat16"


@pytest.mark.parametrize("layer", [Enlarge(2, 1, "bilinear"), Enlarge(3, 2), Spread()], ids=lambda layer: layer.name)
def test_saved_and_learning(layer, rng, tmp_path):
    image, coarse = keras.Input((None, None, 1)), keras.Input((None, None, 3))
    model = keras.Model([coarse, image], layer(coarse, image))
    model.save(tmp_path / "model.keras")
    twin = keras.saving.load_model(tmp_path / "model.keras")
    side = 1 if isinstance(layer, Spread) else 3
    x, whole = tf.constant(rng.normal(size=(2, side, side, 3)), "float32"), tf.zeros((2, 5, 6, 1))
    np.testing.assert_array_equal(model([x, whole]), twin([x, whole]))
    with tf.GradientTape() as tape:
        tape.watch(x)
        answer = model([x, whole])
    assert np.isfinite(tape.gradient(answer, x)).all()
    assert answer.shape == layer.compute_output_shape((2, side, side, 3), whole.shape)
