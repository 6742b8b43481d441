"""Does Grad-CAM point at what makes the class? Cases whose answer is known before the network is asked."""

import keras
import numpy as np
import pytest
from PIL import Image

from kcnn.errors import UserError
from kcnn.inspection import EXPLAINERS, features, grad_cam, save_overlay
from kcnn.inspection.class_activation import upsampled
from kcnn.models import build_model, levels


def linear_model(weights, size=8, activation=None, dtype="float32"):
    """Channels pass through unchanged, are averaged and weighed by `weights` (C, K)."""
    image = keras.Input((size, size, len(weights)), name="image")
    maps = keras.layers.Conv2D(len(weights), 1, use_bias=False, name="maps", dtype=dtype)(image)
    pooled = keras.layers.GlobalAveragePooling2D(dtype=dtype)(maps)
    logits = keras.layers.Dense(weights.shape[1], activation=activation, name="logits", dtype=dtype)(pooled)
    model = keras.Model(image, logits)
    model.get_layer("maps").set_weights([np.eye(len(weights))[None, None]])
    model.get_layer("logits").set_weights([weights, np.zeros(weights.shape[1])])
    return model


@pytest.mark.parametrize("activation", [None, "softmax", "sigmoid"])
def test_linear_model_gives_the_weighted_sum_of_its_maps(rng, activation):
    weights, image = rng.normal(size=(3, 4)), rng.random((8, 8, 3)).astype("float32")
    model = linear_model(weights, activation=activation)
    for target in range(4):
        expected = np.maximum(image @ weights[:, target], 0)
        expected = expected / expected.max() if expected.max() else expected
        np.testing.assert_allclose(grad_cam(model, image, target=target), expected, atol=1e-4)


def test_default_target_is_the_best_class_and_bfloat16_agrees(rng):
    weights, image = np.array([[1.0, -1], [0, 3]]), rng.random((8, 8, 2)).astype("float32")
    heat = grad_cam(linear_model(weights), image)
    np.testing.assert_array_equal(heat, grad_cam(linear_model(weights), image, target=1))
    coarse = grad_cam(linear_model(weights, dtype="bfloat16"), image)
    assert coarse.dtype == np.float32
    np.testing.assert_allclose(coarse, heat, atol=0.03)


def test_frozen_model_is_explained(rng):
    model = linear_model(np.ones((3, 2)))
    model.trainable = False
    assert grad_cam(model, rng.random((8, 8, 3))).max() == 1


def test_every_level_and_layer_name_is_taken_and_strangers_are_refused(rng):
    model, image = build_model("resnet_toy", input_shape=(32, 32, 3), num_classes=6), rng.integers(0, 255, (32, 32, 3))
    named = levels(model)
    assert len(named) > 2
    for level, layer in named.items():
        heat = grad_cam(model, image, level=level)
        assert heat.shape == (32, 32) and heat.min() >= 0 and heat.max() <= 1
        np.testing.assert_allclose(heat, grad_cam(model, image, level=layer), atol=1e-6)
    np.testing.assert_allclose(grad_cam(model, image), grad_cam(model, image, level=list(named)[-1]), atol=1e-6)
    with pytest.raises(UserError, match="unknown level or layer 'c9'"):
        grad_cam(model, image, level="c9")
    with pytest.raises(UserError, match="no spatial axes"):
        grad_cam(model, image, level="logits")
    with pytest.raises(UserError, match="0 to 5"):
        grad_cam(model, image, target=6)


@pytest.mark.parametrize("shape", [(64, 2), (16, 16, 16, 1)], ids=str)
def test_signals_and_volumes_are_explained(rng, shape):
    model = build_model("resnet_toy", input_shape=shape, num_classes=3)
    assert grad_cam(model, rng.normal(size=shape)).shape == shape[:-1]


def test_upsampling_keeps_constants_and_is_linear_between_cells():
    np.testing.assert_array_equal(upsampled(np.ones((2, 3)), (7, 8)), 1)
    np.testing.assert_allclose(upsampled(np.array([0.0, 1]), (4,)), [0, 0.25, 0.75, 1])


def test_features_are_what_the_last_layer_reads(rng):
    model = build_model("resnet_toy", input_shape=(32, 32, 3), num_classes=4, dropout=0.3)
    images = rng.integers(0, 255, (5, 32, 32, 3)).astype("float32")
    vectors, (kernel, bias) = np.asarray(features(model)(images)), model.get_layer("logits").get_weights()
    np.testing.assert_allclose(vectors @ kernel + bias, np.asarray(model(images)), atol=1e-4)


def test_overlay_is_a_picture_with_heat(tmp_path, rng):
    assert list(EXPLAINERS)
    for channels in (1, 3):
        heat = np.zeros((16, 16), np.float32)
        heat[2:6, 2:6] = 1
        image = rng.integers(100, 120, (16, 16, channels)).astype(np.uint8)
        save_overlay(image, heat, tmp_path / "o.png", "a $label 0.9")
        pixels = np.asarray(Image.open(tmp_path / "o.png").convert("RGB"), int)
        right = pixels[:, pixels.shape[1] // 2 : int(pixels.shape[1] * 0.85)]
        assert (np.ptp(right, axis=-1) > 60).sum() > 500, "no colour where the heat should be"
