"""Erasing, MixUp and CutMix: what they do to pictures they do to labels, by the samples' own numbers."""

import numpy as np
import pytest
import tensorflow as tf

from kcnn.data import draws as drawing
from kcnn.data.erasing import cut_out, erase, mask_grid
from kcnn.data.mixers import mix
from kcnn.recipe import Augment

COUNT = 64


@pytest.fixture
def batch():
    """Picture i has the value i everywhere, label i mod 4 and weight 1 + i."""
    values = np.arange(COUNT)
    pictures = np.broadcast_to(values[:, None, None, None], (COUNT, 16, 12, 3)).astype(np.uint8)
    return {
        "image": tf.constant(pictures),
        "label": tf.constant(values % 4, tf.int32),
        "weight": tf.constant(values + 1.0, tf.float32),
        "index": tf.constant(values, tf.int64),
    }


@pytest.fixture
def draws():
    return drawing.uniform(5, tf.zeros(COUNT, tf.int64), tf.range(COUNT, dtype=tf.int64))


def test_erasing_takes_rectangles_of_the_stated_area(batch, draws):
    made = erase(batch["image"][1:], 0.5, 255, draws[1:]).numpy()[..., 0]
    share = (made == 255).mean((1, 2))
    assert 0.3 < (share > 0).mean() < 0.7 and share.max() < 0.42
    for picture in made[share > 0]:
        marks = picture == 255
        assert marks.sum() == marks.any(0).sum() * marks.any(1).sum()
    assert (erase(batch["image"], 0.0, 255, draws).numpy() == batch["image"].numpy()).all()


@pytest.mark.parametrize("augment", [Augment(mixup=0.4), Augment(cutmix=1.0), Augment(mixup=1.0, cutmix=1.0)])
def test_labels_and_weights_follow_the_pictures(batch, draws, augment):
    """The share is read from the picture; the loss of what is mixed is the weighted one of both."""
    own, partner, weights = np.arange(COUNT), np.roll(np.arange(COUNT), -1), np.arange(COUNT) % 3
    floats = {**batch, "image": tf.cast(batch["image"], tf.float32), "weight": tf.constant(weights, tf.float32)}
    made = mix(floats, 4, augment, draws)
    share = (made["image"].numpy().astype(float).mean((1, 2, 3)) - own) / (partner - own)
    assert share.min() > -1e-5 and share.max() < 1 + 1e-5 and share.std() > 0.15
    eye, parts = np.eye(4), np.stack([(1 - share) * weights[own], share * weights[partner]], 1)
    np.testing.assert_allclose(made["weight"], parts.sum(1), atol=1e-4)
    product = parts[:, :1] * eye[own % 4] + parts[:, 1:] * eye[partner % 4]
    np.testing.assert_allclose(made["weight"][:, None] * made["label"], product, atol=2e-4)
    np.testing.assert_allclose(tf.reduce_sum(made["label"], 1), 1, atol=1e-5)
    last = (1 - share[-1]) * eye[(COUNT - 1) % 4] + share[-1] * eye[0]  # neither picture weighs anything
    np.testing.assert_allclose(made["label"][-1], last, atol=1e-4)


def test_bytes_are_mixed_as_floats_are_and_rounded(batch, draws):
    augment = Augment(mixup=1.0, cutmix=1.0)
    made = mix(batch, 4, augment, draws)
    floats = mix({**batch, "image": tf.cast(batch["image"], tf.float32)}, 4, augment, draws)
    assert made["image"].dtype == tf.uint8 and made["label"].shape == (COUNT, 4)
    np.testing.assert_array_equal(made["image"], np.rint(floats["image"]))


def test_mixup_blends_exactly(batch, draws):
    pictures = tf.cast(batch["image"], tf.float32) * 3
    made = mix({**batch, "image": pictures, "weight": tf.ones(COUNT)}, 4, Augment(mixup=1.0), draws)
    share = 1 - tf.gather(made["label"], np.arange(COUNT) % 4, axis=1, batch_dims=1).numpy()
    expected = 3 * (np.arange(COUNT) * (1 - share) + np.roll(np.arange(COUNT), -1) * share)
    np.testing.assert_allclose(made["image"].numpy()[:, 3, 3, 1], expected, atol=1e-3)


def test_soft_and_several_labels_are_mixed_too(batch, draws):
    several = np.random.default_rng(0).integers(0, 2, (COUNT, 3)).astype(np.float32)
    made = mix({**batch, "label": tf.constant(several)}, 3, Augment(cutmix=1.0), draws)
    low, high = np.minimum(several, np.roll(several, -1, 0)), np.maximum(several, np.roll(several, -1, 0))
    assert (made["label"].numpy() >= low).all() and (made["label"].numpy() <= high).all()


def test_the_share_is_beta_distributed():
    from scipy.stats import beta, kstest

    uniforms = np.random.default_rng(0).random(4000).astype(np.float32)
    for alpha in (0.2, 1.0, 3.0):
        assert kstest(drawing.beta(tf.constant(uniforms), alpha).numpy(), beta(alpha, alpha).cdf).pvalue > 0.01


def test_cutout_is_one_square_cut_at_the_borders(batch, draws):
    made = cut_out(batch["image"][1:], 0.5, 0, draws[1:]).numpy()[..., 0] == 0
    for marks in made:
        rows, columns = marks.any(1).sum(), marks.any(0).sum()
        assert marks.sum() == rows * columns and 2 <= rows <= 7 and 2 <= columns <= 7
    assert (made.sum((1, 2)) == 36).mean() > 0.1 and made.any(0).all()


def test_a_grid_mask_blanks_the_papers_share(batch, draws):
    pictures = tf.ones([COUNT, 60, 80, 3], tf.uint8)
    made = mask_grid(pictures, 1.0, 0, draws).numpy()[..., 0] == 0
    assert abs(made.mean() - 0.4**2) < 0.03
    for marks in made[made.any((1, 2))]:
        assert (marks == marks.any(1)[:, None] & marks.any(0)[None]).all()
    chosen = (mask_grid(pictures, 0.4, 0, draws).numpy() == 0).any((1, 2, 3)).mean()
    assert 0.2 < chosen < 0.6


@pytest.mark.parametrize("blank", [erase, cut_out, mask_grid])
def test_what_is_not_chosen_is_not_touched(draws, blank, rng):
    bytes_ = rng.integers(0, 256, (COUNT, 12, 15, 3)).astype(np.uint8)
    floats = rng.normal(size=(COUNT, 12, 15, 2)).astype(np.float32)
    for values, fill in ((bytes_, 9), (floats, (5.0, 6.0))):
        made = blank(tf.constant(values), 0.5, fill, draws).numpy()
        changed = (made != values).any(-1)
        assert made.dtype == values.dtype and 0 < changed.mean() < 0.6
        assert (made[changed] == fill).all()
