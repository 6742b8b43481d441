"""Robustness: corruptions that change what they say, attacks that raise the loss, and what the report tells of both."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import kcnn
from kcnn import scoring
from kcnn.heads import Classifier
from kcnn.models import build_model
from kcnn.robustness import ATTACKS, CORRUPTIONS, corrupted, measuring
from kcnn.robustness.corruptions import LEVELS, STRENGTHS, fitting


@pytest.fixture
def images(rng):
    """Colour pictures of smooth blobs, 40×32."""
    coarse = rng.integers(20, 236, (3, 5, 4, 3)).astype(np.uint8)
    return np.stack([tf.image.resize(one, (40, 32), "bicubic").numpy().clip(0, 255).astype(np.uint8) for one in coarse])


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_strength_changes_pictures_more_and_the_same_way_twice(name, images):
    assert len(STRENGTHS[name]) == LEVELS
    found = [corrupted(images, name, level + 1, seed=3) for level in range(LEVELS)]
    assert all(one.shape == images.shape and one.dtype == np.uint8 for one in found)
    np.testing.assert_array_equal(found[2], corrupted(images, name, 3, seed=3))
    errors = [np.abs(one.astype(float) - images).mean() for one in found]
    assert errors[0] > 0 and errors[-1] > 1.2 * errors[0]
    grey = corrupted(images[..., :1], name, 2)
    assert grey.shape == (3, 40, 32, 1) and ((grey != images[..., :1]).any() == (name in fitting(1)))


def test_corruptions_are_what_they_are_called(images):
    def change(name, level=3):
        return corrupted(images, name, level).astype(float) - images

    x = images.astype(float)
    assert change("brightness").mean() > 30 and abs(change("gaussian_noise").mean()) < 5
    assert corrupted(images, "contrast", 5).std((1, 2)).max() < 0.1 * x.std((1, 2)).max()
    assert len(np.unique(corrupted(images, "pixelate", 5)[0, :, :, 0])) <= 80
    edges = [
        np.abs(np.diff(part.astype(float), axis=1)).mean() for part in (images, corrupted(images, "defocus_blur", 5))
    ]
    assert edges[1] < 0.99 * edges[0]
    salt = corrupted(images, "impulse_noise", 5)
    assert ((salt == 0) | (salt == 255)).mean() == pytest.approx(0.27, abs=0.03)
    grey = np.repeat(images[..., :1], 3, -1)
    assert np.abs(corrupted(grey, "saturation", 5).astype(int) - grey).max() <= 1  # what is grey stays so
    with pytest.raises(kcnn.UserError, match="unknown corruption 'snow'"):
        corrupted(images, "snow", 1)
    with pytest.raises(kcnn.UserError, match="level is 6: it must be a whole number from 1 to 5"):
        corrupted(images, "fog", 6)


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_stay_within_reach_and_raise_the_loss(name, images, rng):
    keras.utils.set_random_seed(0)
    head = Classifier(3)
    model = build_model("resnet_toy", head, input_shape=(40, 32, 3), stem="standard")
    batch, x = {"label": tf.constant([0, 1, 2])}, images.astype(np.float32)
    ascent = measuring.partial_of(measuring._ascent(model, head), batch)

    def loss(pictures):
        return float(tf.reduce_mean(head.loss(head.targets(batch), model(pictures, training=False))[0]))

    changed = ATTACKS[name](ascent, x, 2.0, rng)
    assert np.abs(changed - x).max() <= 2.0 + 1e-4 and changed.min() >= 0 and changed.max() <= 255
    noise = x + rng.choice([-2.0, 2.0], x.shape).astype(np.float32)
    assert loss(changed) > max(loss(x), loss(noise))


def test_a_gradient_is_that_of_small_steps(images):
    keras.utils.set_random_seed(0)
    head, rng = Classifier(3), np.random.default_rng(0)
    model = build_model("resnet_toy", head, input_shape=(40, 32, 3), stem="standard", style={"activation": "silu"})
    batch, x = {"label": tf.constant([0, 1, 2])}, images.astype(np.float32)
    slope = measuring.partial_of(measuring._ascent(model, head), batch)(x)
    step = rng.normal(size=x.shape).astype(np.float32)

    def losses(pictures):
        return head.loss(head.targets(batch), model(pictures, training=False))[0].numpy()

    around = (losses(x + step) - losses(x - step)) / 2
    np.testing.assert_allclose((slope * step).sum((1, 2, 3)), around, rtol=0.05, atol=1e-5)


OPTIONS = {"runtime.precision": "float32", "epochs": 1, "data.limit": 200, "architecture": "resnet_toy"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A classifier's run."""
    return kcnn.build_and_fit("classify/digits", **OPTIONS, **{"runtime.runs": str(tmp_path_factory.mktemp("runs"))})


@pytest.mark.slow
def test_a_detectors_run_tells_of_it(tmp_path, monkeypatch):
    own = {"model.stem": "standard", "data.image_size": 64, "batch_size": 16, "runtime.runs": str(tmp_path)}
    test_a_run_tells_of_it_in_its_report(kcnn.build_and_fit("detect/digit_scenes", **OPTIONS, **own), monkeypatch)


def test_a_run_tells_of_it_in_its_report(run, monkeypatch):
    monkeypatch.setattr(measuring, "fitting", lambda channels: ["brightness", "jpeg"])
    monkeypatch.setattr(measuring, "EPSILONS", (1.0, 8.0))
    found = run.robustness(limit=20)
    assert found["samples"] == 20 and found["metric"] == run.main_metric and found["split"] == "val"
    assert [len(found["corruptions"][name]) for name in ("brightness", "jpeg")] == [5, 5]
    values = [*found["corruptions"]["brightness"], *found["corruptions"]["jpeg"]]
    assert found["corrupted"] == pytest.approx(np.mean(values)) and 0 <= found["clean"] <= 1
    assert all(len(values) == 2 for values in found["attacks"].values())
    text = run.report.read_text("utf-8")
    assert "## Robustness" in text and "JPEG" in text and "PGD, ten steps" in text
    for name in ("robustness.png", "corruptions.png"):
        assert name in text and np.asarray(Image.open(run.path / "report" / name)).std() > 5


def test_the_whole_split_as_it_is_gives_the_reports_score(run, monkeypatch):
    monkeypatch.setattr(measuring, "fitting", lambda channels: ["jpeg"])
    monkeypatch.setattr(measuring, "EPSILONS", (0.0,))
    found = run.robustness(limit=10_000)
    assert found["clean"] == pytest.approx(run.splits["val"]["accuracy"], abs=1e-6)
    assert all(values == [found["clean"]] for values in found["attacks"].values())  # of no length
    before = scoring.uses(run.folder, "test")
    assert run.robustness("test", limit=5)["samples"] == 5 and scoring.uses(run.folder, "test") == before + 1


def test_what_cannot_be_measured_is_told(run, tmp_path):
    with pytest.raises(kcnn.UserError, match="no split 'tset'"):
        run.robustness("tset")
    with pytest.raises(kcnn.UserError, match="limit is 0: it must be 1 or more"):
        run.robustness(limit=0)
    signals = np.random.default_rng(0).normal(size=(40, 24, 1)).astype("float32"), np.arange(40) % 2
    options = {"runtime.runs": str(tmp_path), "runtime.precision": "float32", "epochs": 1, "batch_size": 16}
    other = kcnn.build_and_fit_classifier(signals, architecture="resnet_toy", **options)
    with pytest.raises(kcnn.UserError, match="are of pictures, and this run sees other numbers"):
        kcnn.Run(other.path, signals).robustness()
