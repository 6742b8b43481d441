"""Do explainers say what is known before they are asked? Linear models, a planted patch, and what adds up."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.errors import UserError
from kcnn.inspection import (
    EXPLAINERS,
    attributions,
    grad_cam_plus_plus,
    integrated_gradients,
    layer_cam,
    lime,
    occlusion,
    saliency,
    smooth_grad,
)
from kcnn.inspection.segments import Segments
from kcnn.inspection.shap import shares
from kcnn.models import build_model, head_of
from tests.test_inspection_grad_cam import linear_model


@pytest.fixture
def linear(rng):
    """(model, weights (C, K), image): the logits are the mean over places of image @ weights."""
    weights = rng.normal(size=(3, 4))
    return linear_model(weights), weights, rng.random((8, 8, 3)).astype("float32")


def test_gradients_of_a_linear_model_are_its_weights(linear):
    model, weights, image = linear
    for target in range(4):
        for explain in (saliency, smooth_grad):
            np.testing.assert_allclose(explain(model, image, target=target), 1, rtol=1e-5)
        found, gain = attributions(model, image, target=target)
        np.testing.assert_allclose(found, image * weights[:, target] / 64, atol=1e-6)
        assert gain == pytest.approx((image @ weights[:, target]).mean(), abs=1e-5)
        assert found.sum() == pytest.approx(gain, abs=1e-5)
        heat = np.abs(image @ weights[:, target])
        np.testing.assert_allclose(integrated_gradients(model, image, target=target), heat / heat.max(), atol=1e-4)


def test_maps_of_a_linear_model_are_weighed_as_the_papers_say(linear):
    model, weights, image = linear
    for target in range(4):
        weight = weights[:, target]
        fine = (image * np.maximum(weight, 0)).sum(-1)
        np.testing.assert_allclose(layer_cam(model, image, target=target, level="maps"), fine / fine.max(), atol=1e-4)
        gradient = weight / 64
        alpha = gradient**2 / (2 * gradient**2 + image.sum((0, 1)) * gradient**3)
        heat = np.maximum(image @ (64 * alpha * np.maximum(gradient, 0)), 0)
        np.testing.assert_allclose(grad_cam_plus_plus(model, image, target=target), heat / heat.max(), atol=1e-3)


def test_occlusion_misses_what_is_hidden():
    image = np.zeros((24, 24, 1), np.float32)
    image[6:10, 12:16] = 1
    heat = occlusion(linear_model(np.ones((1, 2)), size=24), image, target=0)
    assert heat[6:10, 12:16].min() > 0.5 and heat[:, :6].max() == 0 and heat.max() == 1
    against = occlusion(linear_model(-np.ones((1, 2)), size=24), image, target=0)
    assert against[7, 13] == 0, "what speaks against the class is not missed"


@pytest.mark.parametrize("shape", [(32, 32, 3), (64, 2), (12, 12, 12, 1)], ids=str)
@pytest.mark.parametrize("name", EXPLAINERS)
def test_every_explainer_gives_a_heat_of_the_shape_of_the_data(name, shape, rng):
    model = build_model("resnet_toy", input_shape=shape, num_classes=3)
    heat = EXPLAINERS[name](model, rng.uniform(0, 255, shape), target=1)
    assert heat.shape == shape[:-1] and heat.dtype == np.float32 and heat.min() >= 0 and heat.max() in (0, 1)
    with pytest.raises(UserError, match="0 to 2"):
        EXPLAINERS[name](model, rng.uniform(0, 255, shape), target=3)


def test_attributions_add_up_to_what_they_explain(rng):
    model = build_model("resnet_toy", input_shape=(32, 32, 3), num_classes=3)
    for _ in range(3):
        image, other = rng.uniform(0, 255, (2, 32, 32, 3)).astype("float32")
        for baseline in (0.0, other):
            found, gain = attributions(model, image, target=1, baseline=baseline, steps=200)
            assert found.sum() == pytest.approx(gain, rel=0.01, abs=1e-3)


@pytest.mark.parametrize("name", EXPLAINERS)
def test_a_question_of_ones_own_is_asked_of_all_outputs(name, rng):
    head = head_of("unet", num_classes=3, filters=(8, 8))
    model = build_model("resnet_toy", head, input_shape=(32, 32, 3))
    image = rng.uniform(0, 255, (32, 32, 3)).astype("float32")
    corner = EXPLAINERS[name](model, image, target=lambda logits: tf.reduce_mean(logits[:, :4, :4, 1], (1, 2)))
    whole = EXPLAINERS[name](model, image, target=1)
    assert corner.shape == whole.shape == (32, 32) and not np.allclose(corner, whole)


@pytest.fixture(scope="module")
def trained():
    """(model, images, corners): class 1 has a bright square somewhere, class 0 has none."""
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    corners = rng.integers(0, 26, (320, 2))
    images = rng.integers(0, 90, (320, 32, 32, 1)).astype("float32")
    labels = np.arange(320) % 2
    for image, (y, x), label in zip(images, corners, labels, strict=True):
        image[y : y + 6, x : x + 6] += 160 * label
    model = build_model("resnet_toy", input_shape=(32, 32, 1), num_classes=2)
    model.compile(keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images[:256], labels[:256], epochs=8, batch_size=32, verbose=0)
    return model, images[257:281:2], corners[257:281:2]


@pytest.mark.parametrize("name", EXPLAINERS)
def test_a_planted_patch_is_pointed_at(name, trained):
    model, images, corners = trained
    options, found = {"level": "c3"} if "cam" in name else {}, 0
    for image, (y, x) in zip(images, corners, strict=True):
        heat = EXPLAINERS[name](model, image, target=1, **options)
        inside = heat[max(y - 4, 0) : y + 10, max(x - 4, 0) : x + 10]
        found += inside.max() == heat.max()
    assert found >= 10, f"{found} of 12 peaks lie on the planted square (chance is below 3)"


def test_segments_of_a_linear_model_have_the_weights_that_it_gives_them(linear):
    model, weights, image = linear
    for target in range(2):
        parts = Segments(model, image, target)
        each = (image - image.mean((0, 1))) @ weights[:, target] / 64
        own = np.bincount(parts.labels.ravel(), each.ravel(), parts.count)
        heat, found = shares(parts)
        np.testing.assert_allclose(found, own, atol=1e-4)
        assert found.sum() == pytest.approx(each.sum(), abs=1e-4)
        expected = np.maximum(own, 0)[parts.labels]
        np.testing.assert_allclose(heat, expected / expected.max(), atol=1e-3)
        # LIME shrinks its weights a little (ridge regression).
        assert np.corrcoef(lime(model, image, target=target).ravel(), expected.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("name", ["lime", "shap"])
def test_libraries_that_are_not_there_are_named_and_numpys_generator_is_left_alone(name, linear, monkeypatch):
    model, _, image = linear
    np.random.seed(7)
    expected = np.random.random()
    np.random.seed(7)
    first = EXPLAINERS[name](model, image)
    assert np.random.random() == expected
    np.testing.assert_array_equal(first, EXPLAINERS[name](model, image))
    monkeypatch.setattr("kcnn.inspection.segments.find_spec", lambda package: None)
    with pytest.raises(UserError, match=f"the explainer {name} needs .*: pip install 'kcnn\\[explain\\]'"):
        EXPLAINERS[name](model, image)
