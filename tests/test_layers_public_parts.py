"""Parts that families and users build from: paddings, transposed and separable convolutions, dropped channels."""

import keras
import numpy as np
import pytest

from kcnn.layers import PadEdges, SpatialDropout, Style, convolve, depthwise, separable_norm, transposed
from kcnn.models import build_model

SHAPES = {1: (9, 2), 2: (8, 7, 2), 3: (6, 7, 5, 2)}
MODES = {"reflect": "reflect", "replicate": "edge"}


def batch(shape):
    return np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")


@pytest.mark.parametrize("rank", SHAPES)
@pytest.mark.parametrize("mode", MODES)
def test_edges_are_padded_as_numpy_does(mode, rank):
    x, margin = batch(SHAPES[rank]), (2, 3, 1)[:rank]
    layer = PadEdges(margin, mode)
    expected = np.pad(x, [(0, 0), *((width, width) for width in margin), (0, 0)], mode=MODES[mode])
    np.testing.assert_array_equal(layer(x), expected)
    assert layer.compute_output_shape(x.shape) == expected.shape
    twin = PadEdges.from_config(layer.get_config())
    np.testing.assert_array_equal(twin(x), expected)


@pytest.mark.parametrize("side", [1, 2, 3])
@pytest.mark.parametrize("mode", MODES)
def test_margins_may_be_wider_than_the_picture(mode, side):
    x = batch((side, 2))
    np.testing.assert_array_equal(PadEdges((7,), mode)(x), np.pad(x, [(0, 0), (7, 7), (0, 0)], mode=MODES[mode]))


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_a_convolution_pads_as_its_style_says(mode, strides):
    image = keras.Input((8, 7, 2))
    style = Style(padding=mode, conv_bias=True)
    out = convolve(image, 3, 5, strides=strides, style=style, name="c")
    model = keras.Model(image, out)
    x = batch((8, 7, 2))
    padded = np.pad(x, [(0, 0), (2, 2), (2, 2), (0, 0)], mode=MODES[mode])
    kernel, bias = model.get_layer("c").get_weights()
    expected = keras.ops.conv(padded, kernel, strides=strides, padding="valid") + bias
    np.testing.assert_allclose(model(x), expected, atol=1e-5)
    assert model.output.shape[1:-1] == tuple(-(-side // strides) for side in (8, 7))


@pytest.mark.parametrize("mode", MODES)
def test_a_whole_network_pads_so(mode):
    model = build_model("resnet_toy", input_shape=(64, 48, 3), num_classes=2, style={"padding": mode})
    assert np.isfinite(model(batch((64, 48, 3)))).all()
    plain = depthwise(keras.Input((8, 8, 3)), 3, style=Style(padding=mode), name="d")
    assert plain.shape == (None, 8, 8, 3)


@pytest.mark.parametrize("rank", SHAPES)
def test_transposed_is_the_gradient_of_the_strided_one(rank):
    shape = SHAPES[rank]
    image = keras.Input(shape)
    model = keras.Model(image, transposed(image, 5, 3, style=Style(conv_bias=False), name="up"))
    assert model.output.shape == (None, *(2 * side for side in shape[:-1]), 5)
    import tensorflow as tf

    x, large = tf.constant(batch(shape)), tf.constant(batch((*(2 * side for side in shape[:-1]), 5)))
    kernel = model.get_layer("up").kernel
    with tf.GradientTape() as tape:
        tape.watch(large)
        value = tf.reduce_sum(x * keras.ops.conv(large, kernel, strides=2, padding="same"))
    np.testing.assert_allclose(model(x), tape.gradient(value, large), atol=1e-5)


def test_separable_is_depthwise_and_pointwise():
    image = keras.Input((9, 8, 4))
    model = keras.Model(image, separable_norm(image, 6, 5, strides=2, style=Style(), name="s"))
    assert [layer.name for layer in model.layers[1:]] == ["s_depthwise", "s", "s_norm"]
    assert model.output.shape == (None, 5, 4, 6)
    assert model.get_layer("s_depthwise").kernel.shape == (5, 5, 4, 1) and model.get_layer("s").kernel.shape[:2] == (
        1,
        1,
    )


def test_spatial_dropout_drops_whole_channels():
    x = np.ones((4, 5, 5, 64), "float32")
    out = np.array(SpatialDropout(0.5, seed=1)(x, training=True))
    assert (out.reshape(4, 25, 64).std(axis=1) == 0).all(), "a channel is whole or gone"
    share = (out[:, 0, 0] == 0).mean()
    assert 0.35 < share < 0.65 and set(np.unique(out)) == {0.0, 2.0}
