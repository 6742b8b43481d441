"""Does the fused normalisation equal Keras's own: values, moving statistics, gradients, and after many steps?"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.layers import FusedBatchNormalization, Style, make_normalization

SHAPES = {1: (6, 11, 5), 2: (4, 7, 6, 5), 3: (3, 4, 3, 5, 5), "dense": (9, 5), "pair of points": (2, 1, 1, 5)}


def twins(shape, **options):
    """A fused and a stock layer with equal, random variables."""
    layers = [kind(**options) for kind in (FusedBatchNormalization, keras.layers.BatchNormalization)]
    for layer in layers:
        layer.build(shape)
    rng = np.random.default_rng(0)
    layers[0].set_weights(values := [rng.uniform(0.5, 1.5, w.shape) for w in layers[0].weights])
    layers[1].set_weights(values)
    return layers


def run(layer, x, cotangent, training):
    """(outputs, gradient of the input, gradients of the variables) of sum(outputs * cotangent)."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
        score = tf.reduce_sum(tf.cast(y, tf.float32) * cotangent)
    return [y, *tape.gradient(score, [x, *[v.value for v in layer.trainable_variables]])]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=map(str, SHAPES))
def test_equals_stock(shape, training):
    rng = np.random.default_rng(1)
    x, cotangent = rng.normal(3, 2, shape).astype("float32"), rng.normal(size=shape).astype("float32")
    fused, stock = twins(shape, momentum=0.9)
    for ours, theirs in zip(run(fused, x, cotangent, training), run(stock, x, cotangent, training), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-4)
    for ours, theirs in zip(fused.weights, stock.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}, {"scale": False, "center": False}], ids=str)
def test_without_scale_or_centre(options):
    x = np.random.default_rng(2).normal(size=(4, 5, 5, 3)).astype("float32")
    fused, stock = twins(x.shape, **options)
    for training in (True, False):
        np.testing.assert_allclose(fused(x, training=training), stock(x, training=training), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 6, 6, 3), (2, 1, 1, 3)], ids=str)
def test_twenty_steps_end_with_equal_variables(shape):
    """Also at batch 2 on 1x1 maps, where the kernel's unbiased variance is twice Keras's."""
    ends = []
    for kind in (FusedBatchNormalization, keras.layers.BatchNormalization):
        rng = np.random.default_rng(3)
        layer = kind(momentum=0.9)
        layer.build(shape)
        optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
        for _ in range(20):
            x, goal = rng.normal(1, 3, (2, *shape)).astype("float32")
            with tf.GradientTape() as tape:
                score = tf.reduce_mean(tf.square(layer(x, training=True) - goal))
            optimizer.apply(tape.gradient(score, layer.trainable_variables), layer.trainable_variables)
        ends.append(layer.get_weights())
    for ours, theirs in zip(*ends, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert not np.allclose(ends[0][3], 1.0)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_low_precision(policy):
    x = np.random.default_rng(4).normal(2, 3, (8, 6, 6, 3)).astype("float32")
    fused, stock = (kind(dtype=policy) for kind in (FusedBatchNormalization, keras.layers.BatchNormalization))
    for training in (True, False):
        ours, theirs = fused(x, training=training), stock(x, training=training)
        assert ours.dtype == theirs.dtype == keras.DTypePolicy(policy).compute_dtype
        np.testing.assert_allclose(np.float32(ours), np.float32(theirs), atol=0.03)
    np.testing.assert_allclose(fused.moving_variance, stock.moving_variance, rtol=2e-3)
    fused.trainable = False
    with tf.GradientTape() as tape:
        tape.watch(x := tf.cast(x, fused.compute_dtype))
        score = tf.reduce_sum(tf.cast(fused(x, training=True), tf.float32))
    assert np.isfinite(np.float32(tape.gradient(score, x))).all()


def test_frozen_layer_uses_and_keeps_its_statistics():
    x = np.random.default_rng(5).normal(5, 2, (4, 3, 3, 2)).astype("float32")
    layer = FusedBatchNormalization()
    layer.build(x.shape)
    layer.trainable = False
    np.testing.assert_allclose(layer(x, training=True), x / np.sqrt(1.001), rtol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean, 0)


def test_frozen_batch_norm_learns_scale_and_shift_and_keeps_its_statistics():
    x = np.random.default_rng(5).normal(5, 2, (4, 3, 3, 2)).astype("float32")
    layer, twin = (make_normalization(Style(norm=norm), 2, "norm") for norm in ("frozen_batch", "batch"))
    for norm in (layer, twin):
        norm.build(x.shape)
        norm.moving_mean.assign([1.0, 2.0])
        norm.moving_variance.assign([4.0, 9.0])
    for training in (True, False):
        np.testing.assert_array_equal(layer(x, training=training), twin(x, training=False))
    np.testing.assert_array_equal(layer.moving_mean, [1, 2])
    assert [v.name for v in layer.trainable_variables] == ["gamma", "beta"]
    assert [v.path for v in layer.weights] == [v.path for v in twin.weights]


def test_masks_and_double_precision_fall_back():
    x = np.random.default_rng(6).normal(size=(3, 4, 2)).astype("float32")
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]], bool)
    fused, stock = twins(x.shape)
    np.testing.assert_allclose(fused(x, training=True, mask=mask), stock(x, training=True, mask=mask), rtol=1e-5)
    np.testing.assert_allclose(fused.moving_mean, stock.moving_mean, rtol=1e-6)
    double = FusedBatchNormalization(dtype="float64")
    assert double(x.astype("float64"), training=True).dtype == "float64"
    renorm = FusedBatchNormalization(renorm=True)
    renorm(x, training=True)
    assert len(renorm.weights) == 7


def test_unknown_sizes_and_configuration():
    image = keras.Input((None, None, 3))
    model = keras.Model(image, FusedBatchNormalization(name="norm")(image))
    x = np.random.default_rng(7).normal(size=(2, 5, 4, 3)).astype("float32")
    twin = keras.Model.from_config(model.get_config())
    np.testing.assert_array_equal(model(x), twin(x))
    assert type(twin.get_layer("norm")) is FusedBatchNormalization


@pytest.mark.parametrize("norm", ["batch", "sync_batch", "group", "layer", "instance"])
@pytest.mark.parametrize("shape", [SHAPES[1], SHAPES[2], SHAPES[3]], ids=["1", "2", "3"])
def test_each_norm_centres_what_it_says(norm, shape):
    x = np.random.default_rng(8).normal(3, 2, shape).astype("float32")
    layer = make_normalization(Style(norm=norm), shape[-1], "norm")
    space = tuple(range(1, len(shape) - 1))
    axes = {"layer": -1, "instance": space, "group": (*space, -1)}.get(norm, (0, *space))
    np.testing.assert_allclose(np.mean(layer(x, training=True), axis=axes), 0, atol=1e-4)
