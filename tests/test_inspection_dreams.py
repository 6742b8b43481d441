"""Pictures made for a network: each is what its class or channel answers to most, or what a level takes for another."""

import keras
import numpy as np
import pytest
from PIL import Image

import kcnn
from kcnn.inspection import VIEWS, inverted
from kcnn.inspection.graph import level_layer, logits_of


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    runs = str(tmp_path_factory.mktemp("runs"))
    return kcnn.build_and_fit("classify/digits", epochs=4, name="digits", **{"runtime.runs": runs})


@pytest.fixture(scope="module")
def frames(run):
    """Validation pictures as the network sees them."""
    return np.load(run.path / "frames.npz")["frames"].astype(np.float32)


def pictures_of(run, **options):
    captions, tiles = zip(*VIEWS["activation_maximisation"].make(run.model, **options), strict=True)
    return list(captions), 255 * np.stack(tiles)[..., None]


def test_a_class_gets_a_picture_with_a_higher_logit_than_any_picture_that_was_seen(run, frames):
    captions, pictures = pictures_of(run)
    ask = keras.Model(run.model.input, logits_of(run.model))
    own, seen = np.diag(ask(pictures).numpy()), ask(frames).numpy().max(0)
    assert captions == [*"0123456789"] and pictures.min() >= 0 and pictures.max() <= 255
    assert (own > seen).all(), (own, seen)
    np.testing.assert_array_equal(pictures_of(run)[1], pictures)


def test_so_does_a_channel_of_a_level(run, frames):
    captions, pictures = pictures_of(run, level="c1")
    ask = keras.Model(run.model.input, level_layer(run.model, "c1").output)
    means = [ask(some).numpy().mean((1, 2)) for some in (pictures, frames)]
    assert len(captions) == 16 and (np.diag(means[0]) > means[1].max(0)[:16]).mean() > 0.9


def test_a_picture_is_rebuilt_from_what_a_level_knows_of_it(run, frames):
    for level in (None, "c0"):
        ask = keras.Model(run.model.input, level_layer(run.model, level).output)
        found, error = inverted(run.model, frames[0], level)
        wanted, got, others = (ask(some).numpy() for some in (frames[:1], found[None], frames[1:]))
        length = np.linalg.norm(wanted)
        nearest = min(np.linalg.norm(other - wanted[0]) for other in others) / length
        assert error == pytest.approx(np.linalg.norm(got - wanted) / length, rel=1e-3)
        assert error <= 0.15 and error <= nearest / 3, (level, error, nearest)
    assert np.abs(found - frames[0]).mean() < 10, "c0 still knows the picture"


def test_a_run_draws_them(run, frames, tmp_path):
    for view, image in (("activation_maximisation", None), ("inversion", frames[0].astype(np.uint8))):
        path = run.show(view, image, path=tmp_path / f"{view}.png")
        assert min(Image.open(path).size) > 200
