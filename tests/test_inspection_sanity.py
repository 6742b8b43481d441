"""Do the figures about a heat map tell a true map from one that is not? Networks whose reasons are known."""

import random

import keras
import numpy as np
import pytest
from PIL import Image

import kcnn
from kcnn.errors import UserError
from kcnn.inspection import grad_cam, in_words, sanity
from kcnn.models import build_model
from tests.test_cli import kcnn as command
from tests.test_cli import refused

SIDE, PATCH = 16, (slice(3, 7), slice(9, 13))
FIGURES = {"deletion", "insertion", "deletion_random", "insertion_random", "randomised"}


def brightness_model(classes=2, activation=None, side=SIDE):
    """The class 1 is there where the mean of some 3×3 places is above 0.8, and nothing else counts."""
    image = keras.Input((side, side, 1))
    maps = keras.layers.Conv2D(2, 3, padding="same", activation="relu", name="maps")(image)
    model = keras.Model(
        image, keras.layers.Dense(classes, activation=activation)(keras.layers.GlobalMaxPooling2D()(maps))
    )
    kernel, weights = np.zeros((3, 3, 1, 2)), np.zeros((2, classes))
    kernel[..., 0], weights[0, classes - 1] = 1 / 9, 100
    model.set_weights(
        [kernel, np.array([-0.8, 0]), weights, np.full(classes, -5.0) * (np.arange(classes) == classes - 1)]
    )
    return model


@pytest.fixture
def image(rng):
    """Noise with the patch that makes the class 1."""
    picture = rng.uniform(0, 0.3, (SIDE, SIDE, 1)).astype("float32")
    picture[PATCH] = 1
    return picture


@pytest.fixture
def on_patch():
    heat = np.zeros((SIDE, SIDE), np.float32)
    heat[PATCH] = 1
    return heat


def edges(model, image, target=None):
    """Gradients of the picture itself: a map that no weight changes."""
    return np.abs(np.gradient(np.asarray(image)[..., 0])[0])


def test_a_map_of_what_decides_is_far_better_than_chance_and_one_of_the_rest_is_not(image, on_patch):
    good = sanity(brightness_model(), image, on_patch, edges)
    assert set(good) == FIGURES and all(isinstance(value, float) for value in good.values())
    assert good["deletion"] < 0.1 and good["insertion"] > 0.9
    assert 0.3 < good["deletion_random"] == good["insertion_random"] < 0.7
    wrong = sanity(brightness_model(), image, 1 - on_patch, edges)
    assert wrong["deletion"] > 0.9 and wrong["insertion"] < 0.1
    assert wrong["deletion_random"] == good["deletion_random"]


def test_chance_is_one_number_since_a_reversed_map_swaps_the_two(image, rng):
    heat = rng.normal(size=(SIDE, SIDE))
    there, back = (sanity(brightness_model(), image, way, edges, target=1) for way in (heat, -heat))
    assert there["deletion"] == pytest.approx(back["insertion"], abs=1e-5)
    assert there["insertion"] == pytest.approx(back["deletion"], abs=1e-5)


def test_edges_ignore_the_weights_and_grad_cam_does_not(image):
    model = brightness_model()
    assert sanity(model, image, edges(model, image), edges)["randomised"] == pytest.approx(1)
    assert sanity(model, image, grad_cam(model, image, target=1), grad_cam)["randomised"] < 0.6


def test_where_a_map_is_constant_there_is_no_correlation(image, on_patch):
    model = brightness_model()
    assert sanity(model, image, np.zeros((SIDE, SIDE)), edges)["randomised"] is None
    assert sanity(model, image, on_patch, lambda *_, target: np.ones((SIDE, SIDE)))["randomised"] is None


@pytest.mark.parametrize(("classes", "activation"), [(2, "softmax"), (1, None), (1, "sigmoid"), (3, "sigmoid")])
def test_scores_are_those_of_the_model(image, on_patch, classes, activation):
    model = brightness_model(classes, activation)
    own = keras.ops.sigmoid if activation is None else (lambda outputs: outputs)
    told = sanity(model, image, on_patch, edges, score=lambda images: own(model(images)))
    assert sanity(model, image, on_patch, edges) == pytest.approx(told, abs=1e-6)
    assert told["deletion"] < 0.1


def test_the_model_and_pythons_numbers_come_out_as_they_went_in(rng):
    model, picture = (
        build_model("resnet_toy", input_shape=(32, 32, 3), num_classes=3),
        rng.integers(0, 255, (32, 32, 3)),
    )
    weights, state, heat = model.get_weights(), random.getstate(), grad_cam(model, picture, target=2)
    first, second = (sanity(model, picture, heat, grad_cam, target=2) for _ in range(2))
    assert first == second, "seeds are fixed"
    assert random.getstate() == state
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("shape", [(64, 2), (16, 16, 16, 1)], ids=str)
def test_signals_and_volumes_too(rng, shape):
    model, values = build_model("resnet_toy", input_shape=shape, num_classes=3), rng.normal(size=shape)
    assert set(sanity(model, values, grad_cam(model, values), grad_cam)) == FIGURES


def test_a_heat_of_another_size_is_refused(image):
    with pytest.raises(
        UserError, match=r"heat is \(3, 3\) and the image \(16, 16, 1\): give one value of heat a place"
    ):
        sanity(brightness_model(), image, np.zeros((3, 3)), edges)


def test_the_words_say_what_the_figures_mean():
    figures = {"deletion": 0.1, "insertion": 0.9, "deletion_random": 0.5, "insertion_random": 0.5, "randomised": 0.1}
    assert "better than chance. " in in_words(figures) and "it depends on what was learned" in in_words(figures)
    assert "in one of the two only" in in_words(figures | {"insertion": 0.4})
    assert "no better than chance" in in_words(figures | {"insertion": 0.4, "deletion": 0.6})
    assert "it ignores much of what was learned" in in_words(figures | {"randomised": 0.8})
    assert "stays open" in in_words(figures | {"randomised": None})


def test_a_run_says_it_in_python_and_in_the_shell(capsys, tmp_path, rng):
    data = (rng.integers(0, 255, (12, 24, 24, 3), dtype=np.uint8), np.arange(12) % 3)
    settings = {"runtime.runs": str(tmp_path), "batch_size": 6, "data.validation": 0.5}
    run = kcnn.build_and_fit({}, data, name="a", architecture="simple_cnn_toy", epochs=1, **settings)
    Image.fromarray(data[0][0]).save(tmp_path / "a.png")
    figures = run.explain_sanity(tmp_path / "a.png", target="2", level="c2")
    assert set(figures) == FIGURES and 0 < figures["deletion"] < 1
    with pytest.raises(UserError, match="unknown class 'x'"):
        run.explain_sanity(data[0][0], target="x")
    with pytest.raises(UserError, match="unknown explainer 'cam'"):
        run.explain_sanity(data[0][0], "cam")
    words = ("explain", run.path, tmp_path / "a.png", "--target", "2", "--level", "c2", "--sanity")
    status, out, _ = command(capsys, *words)
    assert status == 0 and out.splitlines()[0].startswith("wrote ")
    assert out.splitlines()[1:] == [in_words(figures)]
    assert "grad_cam looks at an image" in refused(capsys, "explain", run.path, "--sanity")
