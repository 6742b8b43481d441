"""Do the parts of the nets before ResNet do what they promise: local response normalisation, frames, long kernels?"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.errors import UserError
from kcnn.layers import (
    Frame,
    LocalResponseNormalization,
    Style,
    convolve,
    crop,
    frame,
    make_normalization,
    max_pool,
    unframed,
    unpadded,
    zero_pad,
)


@pytest.mark.parametrize("radius, bias, alpha, beta", [(2, 2.0, 1e-4, 0.75), (1, 1.0, 0.1, 0.5), (0, 1.0, 1.0, 0.75)])
def test_local_response_equals_the_formula_and_its_gradient(radius, bias, alpha, beta):
    x = tf.random.stateless_normal((2, 3, 4, 7), (1, 2)) * 10
    layer = LocalResponseNormalization(radius, bias, alpha, beta)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        ours, theirs = layer(x), tf.nn.lrn(x, radius, bias, alpha, beta)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(ours, x), tape.gradient(theirs, x), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(LocalResponseNormalization.from_config(layer.get_config())(x), ours)


@pytest.mark.parametrize("shape", [(2, 5, 6), (2, 3, 4, 2, 6)])
def test_local_response_in_other_ranks_and_precisions(shape):
    x = np.random.default_rng(0).normal(0, 10, shape).astype("float32")
    flat = tf.nn.lrn(x.reshape(2, -1, 1, 6), 2, 2.0, 1e-4, 0.75)
    np.testing.assert_allclose(LocalResponseNormalization()(x), np.reshape(flat, shape), rtol=1e-5)
    low = LocalResponseNormalization(dtype="bfloat16")(x)
    assert low.dtype == "bfloat16"
    np.testing.assert_allclose(np.float32(low), np.reshape(flat, shape), rtol=2e-2)


@pytest.mark.parametrize("wrong", [{"radius": -1}, {"bias": 0.0}, {"alpha": -1.0}, {"beta": -1.0}])
def test_local_response_refuses_what_makes_no_sense(wrong):
    with pytest.raises(UserError, match="must be 0 or above"):
        LocalResponseNormalization(**wrong)


@pytest.mark.parametrize("sides", [(11, 12), (None, None)])
def test_a_frame_has_the_size_of_the_level_and_is_taken_off_again(sides):
    image = keras.Input((*sides, 1))
    x = crop(keras.layers.MaxPooling2D(2)(image), 0, 1, "smaller")
    level = frame(x, image, 2, "frame")
    back = unframed(level, x, "back")
    assert level.shape[1:-1] == ((6, 6) if sides[0] else (None, None))
    picture = np.random.default_rng(0).uniform(1, 2, (1, 11, 12, 1)).astype("float32")
    small, framed, again = keras.Model(image, [x, level, back])(picture)
    assert small.shape == (1, 4, 5, 1) and framed.shape == (1, 6, 6, 1)
    np.testing.assert_array_equal(framed[:, 1:5, :5], small)
    assert np.count_nonzero(framed) == small.shape[1] * small.shape[2]
    np.testing.assert_array_equal(again, small)


def test_a_map_of_the_right_size_needs_no_frame():
    image = keras.Input((8, 8, 1))
    assert frame(image, image, 1, "frame") is image and unframed(image, image, "back") is image
    assert Frame.from_config(Frame(4, name="f").get_config()).strides == 4


def test_windows_are_unpadded_only_where_they_fit():
    assert unpadded(keras.Input((5, 3, 1)), 3) == "valid" and unpadded(keras.Input((None, 3, 1)), 3) == "fit"
    assert unpadded(keras.Input((5, 2, 1)), 3) == "same" == unpadded(keras.Input((None, 2, 1)), 3)


@pytest.mark.parametrize("sides", [(7, 9), (3, 3), (2, 2), (1, 5), (6, 2)], ids=str)
@pytest.mark.parametrize("strides", [1, 2])
def test_open_maps_are_padded_as_stated_ones(rng, sides, strides):
    """Where a window does not fit into a map of open size, it is seen as where the size was stated; else as it is."""
    x = rng.uniform(size=(2, *sides, 3)).astype("float32")
    found = []
    for shape in ((*sides, 3), (None, None, 3)):
        image = keras.Input(shape)
        pooled = max_pool(image, 3, strides=strides, padding=unpadded(image, 3), name="pool")
        convolved = convolve(image, 4, 3, strides=strides, padding=unpadded(image, 3), style=Style(), name="conv")
        model = keras.Model(image, [pooled, convolved])
        model.set_weights([np.ones_like(weight) * (i + 1) for i, weight in enumerate(model.get_weights())])
        found.append([np.asarray(part) for part in tf.function(model)(x)])
    for stated, opened in zip(*found, strict=True):
        np.testing.assert_allclose(opened, stated, rtol=1e-5)


def test_padding_and_cropping_each_axis_differently():
    x = np.ones((1, 4, 5, 1), "float32")
    padded = np.array(zero_pad(x, (1, 0), (0, 2), "pad"))
    assert padded.shape == (1, 5, 7, 1) and not padded[0, 0].any() and not padded[0, :, 5:].any()
    np.testing.assert_array_equal(crop(padded, (1, 0), (0, 2), "crop"), x)


@pytest.mark.parametrize("padding", ["same", "symmetric"])
def test_a_kernel_along_one_axis(padding):
    x = np.zeros((1, 9, 9, 1), "float32")
    x[0, 4, 4] = 1
    seen = np.array(convolve(x, 1, (1, 7), style=Style(padding=padding), name="long"))[0, :, :, 0] != 0
    assert seen[4, 1:8].all() and seen.sum() == 7


@pytest.mark.parametrize("norm", ["batch", "sync_batch", "group", "layer", "instance"])
def test_norms_without_scale(norm):
    layer = make_normalization(Style(norm=norm, norm_scale=False), 4, "norm")
    layer.build((None, 3, 3, 4))
    assert [v.name for v in layer.trainable_variables] == ["beta"]
    x = np.random.default_rng(0).normal(3, 2, (8, 6, 6, 4)).astype("float32")
    y = np.array(layer(x, training=True) if "batch" in norm else layer(x))
    assert abs(y.mean()) < 1e-2 and abs(y.std() - 1) < 1e-2


def test_kernels_of_a_fixed_spread_and_biases_of_one():
    layer = convolve(keras.Input((8, 8, 64)), 256, 3, bias=True, bias_start=1, style=Style(kernel_std=0.01), name="c")
    layer = layer._keras_history.operation
    assert abs(np.std(layer.kernel) - 0.01) < 1e-4 and (np.array(layer.bias) == 1).all()
