"""Colour and light: every sequence of point-wise operations gives PIL's picture."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance

from kcnn.data import draws as drawing
from kcnn.data.pointwise import MATRICES, PCA_AXES, TABLES, jitter, run
from kcnn.recipe import Augment

SHIFT = np.array([12, -7, 20], np.float32)


def pil_shift(picture, amount):
    return Image.fromarray(np.clip(np.asarray(picture).astype(int) + SHIFT.astype(int), 0, 255).astype(np.uint8))


PIL = {
    "brightness": lambda picture, factor: ImageEnhance.Brightness(picture).enhance(factor),
    "contrast": lambda picture, factor: ImageEnhance.Contrast(picture).enhance(factor),
    "saturation": lambda picture, factor: ImageEnhance.Color(picture).enhance(factor),
    "shift": pil_shift,
}


@pytest.fixture(scope="module")
def photos():
    from sklearn.datasets import load_sample_image

    return np.stack([load_sample_image(name)[100:300, 200:460] for name in ("china.jpg", "flower.jpg")])


def step(name, factor, count=2):
    amounts = tf.tile([SHIFT], [count, 1]) if name == "shift" else tf.fill([count, 1], factor)
    return {name: (tf.fill([count], True), amounts)}


def test_every_operation_has_its_reference():
    assert set(PIL) == set(TABLES) | set(MATRICES)


@pytest.mark.parametrize("names", list(itertools.product(PIL, repeat=2)), ids="-".join)
def test_every_ordered_pair_equals_pil(photos, names):
    """Within one grey level in the mean, for weak and strong changes."""
    for factors in ((0.5, 1.6), (1.6, 0.5), (1.5, 1.5), (0.2, 0.8)):
        made = run(tf.constant(photos), [step(n, f) for n, f in zip(names, factors, strict=True)], matrices=2).numpy()
        for photo, picture in zip(photos, made, strict=True):
            expected = Image.fromarray(photo)
            for name, factor in zip(names, factors, strict=True):
                expected = PIL[name](expected, factor)
            assert np.abs(picture - np.asarray(expected).astype(float)).mean() < 1


def test_each_sample_has_its_own_sequence(photos):
    both = tf.constant(photos)
    on = [tf.constant([True, False]), tf.constant([False, True])]
    factor = tf.constant([[1.5], [1.5]])
    steps = [{"contrast": (on[0], factor), "saturation": (on[1], factor)}]
    steps += [{"contrast": (on[1], factor), "saturation": (on[0], factor)}]
    made = run(both, steps).numpy()
    for i, names in enumerate((("contrast", "saturation"), ("saturation", "contrast"))):
        alone = run(both[i : i + 1], [step(name, 1.5, 1) for name in names]).numpy()[0]
        np.testing.assert_array_equal(made[i], alone)
    assert (made[0] != run(both[:1], [step("saturation", 1.5, 1), step("contrast", 1.5, 1)]).numpy()[0]).any()


def test_nothing_asked_for_is_nothing_done(photos):
    draws = drawing.uniform(0, tf.zeros(2, tf.int64), tf.range(2, dtype=tf.int64))
    assert jitter(tf.constant(photos), Augment(), draws) is not None
    np.testing.assert_array_equal(jitter(tf.constant(photos), Augment(), draws), photos)
    neutral = [step(name, 1.0) for name in ("brightness", "saturation", "contrast")]
    assert np.abs(run(tf.constant(photos), neutral).numpy().astype(int) - photos).max() <= 1


def test_jitter_is_drawn_a_sample_and_grey_stays_grey(photos):
    augment = Augment(brightness=0.4, contrast=0.4, saturation=0.4, pca_colour=0.1)
    draws = drawing.uniform(0, tf.zeros(16, tf.int64), tf.range(16, dtype=tf.int64))
    same = tf.constant(np.repeat(photos[:1], 16, 0))
    made = jitter(same, augment, draws).numpy()
    assert made.dtype == np.uint8 and len({picture.tobytes() for picture in made}) == 16
    grey = jitter(same[..., :1], augment, draws).numpy()
    assert grey.shape == same[..., :1].shape and len({picture.tobytes() for picture in grey}) == 16


def test_the_axes_of_colour_are_orthonormal():
    np.testing.assert_allclose(np.array(PCA_AXES).T @ PCA_AXES, np.eye(3), atol=2e-3)
