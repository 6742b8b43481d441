"""Do our convolutions equal a slow reference, in every rank, and does padding mean what it says?"""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.layers import Style, convolve, depthwise, max_pool, tensorflow_kernels

PLAIN = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D, 3: keras.layers.Conv3D}
GROUPED = {
    1: tensorflow_kernels.GroupedConvolution1D,
    2: tensorflow_kernels.GroupedConvolution2D,
    3: tensorflow_kernels.GroupedConvolution3D,
}


def reference(x, kernel, strides, dilation, groups, padding):
    """Grouped convolution by its definition, one output position at a time."""
    rank, size = x.ndim - 2, np.array(kernel.shape[: x.ndim - 2])
    reach = (size - 1) * dilation + 1
    space = np.array(x.shape[1:-1])
    if padding == "same":
        out = -(-space // strides)
        total = np.maximum((out - 1) * strides + reach - space, 0)
        x = np.pad(x, [(0, 0), *[(t // 2, t - t // 2) for t in total], (0, 0)])
    else:
        out = (space - reach) // strides + 1
    inputs, filters = kernel.shape[-2], kernel.shape[-1] // groups
    y = np.zeros((len(x), *out, kernel.shape[-1]))
    for place in itertools.product(*map(range, out)):
        window = x[
            (slice(None), *[slice(p * strides, p * strides + r, dilation) for p, r in zip(place, reach, strict=True)])
        ]
        for g in range(groups):
            part = window[..., g * inputs : (g + 1) * inputs]
            weights = kernel[..., g * filters : (g + 1) * filters]
            y[(slice(None), *place, slice(g * filters, (g + 1) * filters))] = np.tensordot(part, weights, rank + 1)
    return y


def layer_and_input(rank, channels, filters, dtype="float32", **options):
    layer = GROUPED[rank](filters, 3, use_bias=False, dtype=dtype, **options)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, *(7, 6, 5)[:rank], channels)).astype("float32")
    layer.build(x.shape)
    layer.set_weights([rng.normal(size=layer.kernel.shape) * 0.2])
    return layer, x


@pytest.mark.parametrize("strides, dilation", [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("groups, filters", [(2, 8), (4, 4), (4, 8)])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_grouped_equals_reference(rank, groups, filters, padding, strides, dilation):
    options = {"groups": groups, "padding": padding, "strides": strides, "dilation_rate": dilation}
    layer, x = layer_and_input(rank, 4, filters, **options)
    expected = reference(x, layer.kernel.numpy(), strides, dilation, groups, padding)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("groups, filters", [(2, 8), (4, 4)])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_grouped_in_bfloat16_and_its_gradients(rank, groups, filters):
    layer, x = layer_and_input(rank, 4, filters, groups=groups, padding="same", strides=2)
    low, _ = layer_and_input(rank, 4, filters, "mixed_bfloat16", groups=groups, padding="same", strides=2)
    np.testing.assert_allclose(np.float32(low(x)), layer(x), atol=0.05)
    dense = PLAIN[rank](filters, 3, use_bias=False, padding="same", strides=2)
    dense.build(x.shape)
    blocks = np.zeros(dense.kernel.shape, "float32")
    width, count = 4 // groups, filters // groups
    for g in range(groups):
        mine = slice(g * count, (g + 1) * count)
        blocks[..., g * width : (g + 1) * width, mine] = layer.kernel.numpy()[..., mine]
    dense.set_weights([blocks])
    gradients = []
    for candidate in (layer, dense):
        with tf.GradientTape() as tape:
            tape.watch(image := tf.constant(x))
            score = tf.reduce_sum(tf.sin(candidate(image)))
        gradients.append(tape.gradient(score, image))
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strides", [1, 2])
def test_depthwise_in_three_dimensions(strides):
    image = keras.Input((6, 7, 5, 3))
    model = keras.Model(image, depthwise(image, 3, strides=strides, style=Style(), name="depthwise"))
    x = np.random.default_rng(1).normal(size=(2, 6, 7, 5, 3)).astype("float32")
    kernel = model.get_layer("depthwise").kernel.numpy()
    np.testing.assert_allclose(model(x), reference(x, kernel, strides, 1, 3, "same"), rtol=1e-4, atol=1e-5)


def test_grouped_with_unknown_sizes_and_its_configuration():
    image = keras.Input((None, None, None, 4))
    layer = GROUPED[3](8, 3, groups=2, padding="same", strides=2, name="grouped")
    model = keras.Model(image, layer(image))
    x = np.ones((1, 5, 6, 7, 4), "float32")
    assert model(x).shape == (1, 3, 3, 4, 8)
    assert type(keras.Model.from_config(model.get_config()).get_layer("grouped")) is GROUPED[3]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("side", [8, 9])
def test_symmetric_padding_is_half_the_kernel_on_each_side(rank, side):
    shape = (side,) * rank + (3,)
    image = keras.Input(shape)
    style = Style(padding="symmetric", conv_bias=True)
    outputs = {
        "plain": convolve(image, 6, 3, strides=2, style=style, name="plain"),
        "grouped": convolve(image, 6, 7, strides=2, groups=3, style=style, name="grouped"),
        "depthwise": depthwise(image, 5, strides=2, style=style, name="depthwise"),
        "same": convolve(image, 6, 3, strides=2, padding="same", style=style, name="same"),
    }
    model = keras.Model(image, outputs)
    x = np.random.default_rng(2).normal(size=(2, *shape)).astype("float32")
    answers = model(x)
    for name, groups in {"plain": 1, "grouped": 3, "depthwise": 3}.items():
        kernel = model.get_layer(name).kernel.numpy()
        if name == "depthwise" and rank < 3:
            kernel = np.moveaxis(kernel, -1, -2)
        margin = kernel.shape[0] // 2
        padded = np.pad(x, [(0, 0)] + [(margin, margin)] * rank + [(0, 0)])
        expected = reference(padded, kernel, 2, 1, groups, "valid")
        assert expected.shape[1:-1] == (-(-side // 2),) * rank
        np.testing.assert_allclose(answers[name], expected, rtol=1e-4, atol=1e-5)
    model.get_layer("same").set_weights(model.get_layer("plain").get_weights())
    differ = not np.allclose(model(x)["same"], answers["plain"], atol=1e-3)
    assert differ == (side % 2 == 0), "the two kinds of padding differ at stride 2 on even sizes"


def test_pools_halve_rounding_up():
    for padding, size in itertools.product(("same", "symmetric"), (2, 3)):
        image = keras.Input((9, 8, 2))
        assert max_pool(image, size, strides=2, padding=padding, name="pool").shape == (None, 5, 4, 2)


@pytest.mark.parametrize("shape", [(9, 8), (8, 7, 8), (4, 6, 5, 8)])
def test_narrow_strided_pointwise_convolutions_subsample_first(shape, rng):
    image = keras.Input(shape)
    model = keras.Model(image, convolve(image, 12, 1, strides=2, style=Style(), name="c"))
    x = rng.normal(size=(1, *shape)).astype("float32")
    kernel = np.asarray(model.get_layer("c").kernel).reshape(8, 12)
    expected = x[(slice(None), *[slice(None, None, 2)] * (len(shape) - 1))] @ kernel
    np.testing.assert_allclose(np.asarray(model(x)), expected, rtol=1e-5, atol=1e-5)
    assert "c_subsample" in {layer.name for layer in model.layers}
    same = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model.get_layer("c_subsample")))
    assert same(x).shape == same.compute_output_shape(x.shape)
