"""The sheet of augmented pictures: what it draws of pictures, boxes and masks, and whose augmentation it shows."""

import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure
from PIL import Image

import kcnn
from kcnn.doctor import augmented
from kcnn.doctor.outlines import COLOURS, outline
from kcnn.recipe import Recipe
from tests.test_data_instances import CLASSES, HEIGHT, WIDTH, scenes


@pytest.fixture
def axes():
    return Figure().subplots()


def pictures(rng):
    return rng.integers(0, 256, (8, 12, 12, 3)).astype(np.uint8), np.arange(8) % 2


def test_boxes_are_outlines_of_their_class_at_the_edges_of_their_pixels(rng, axes):
    batch = scenes(rng)
    fullest = (batch["classes"] >= 0).sum(1).argmax()
    sample = {key: batch[key][fullest] for key in ("boxes", "classes")}
    there = sample["classes"] >= 0
    assert outline(axes, sample) == set(sample["classes"][there].tolist())
    drawn = [(*patch.get_xy(), patch.get_width(), patch.get_height()) for patch in axes.patches]
    low, high = sample["boxes"][there, :2], sample["boxes"][there, 2:]
    np.testing.assert_allclose(drawn, np.concatenate([low - 0.5, high - low], 1))
    for patch, kind in zip(axes.patches, sample["classes"][there], strict=True):
        assert patch.get_edgecolor()[:3] == tuple(COLOURS[kind]) and not patch.get_fill()
    assert not axes.images


def test_masks_are_veils_that_leave_the_background_clear(rng, axes):
    sample = {key: value[1] for key, value in scenes(rng).items()}
    mask, there = sample["mask"], np.flatnonzero(sample["classes"] >= 0)
    kinds = np.unique(mask[mask > 0])
    assert outline(axes, sample) == {*kinds.tolist(), *sample["classes"][there].tolist()}
    inside = [mask == kind for kind in kinds] + [sample["masks"][place] > 0 for place in there]
    for layer, expected, kind in zip(axes.images, inside, [*kinds, *sample["classes"][there]], strict=True):
        colour = layer.get_array()
        np.testing.assert_array_equal(colour[..., 3] > 0, expected)
        assert colour[..., 3].max() < 1 and (colour[..., :3] == COLOURS[kind]).all()


def test_a_picture_without_places_has_nothing_drawn_over_it(axes):
    assert outline(axes, {}) == set() and not axes.patches and not axes.images


def test_the_sheet_shows_boxes_and_masks_of_each_version_in_its_row_and_names_their_colours(rng, tmp_path, monkeypatch):
    batch, drawn = {key: value[:6] for key, value in scenes(rng).items()}, []

    def batches(samples, frame, count, *, training, **_):
        order = rng.permutation(count) if training else np.arange(count)
        shuffled = {key: value[order] for key, value in batch.items()} | {"index": order}
        return tf.data.Dataset.from_tensors(shuffled).repeat()

    def watched(axes, sample):
        drawn.append(sample)
        return outline(axes, sample)

    monkeypatch.setattr(augmented, "batches", batches)
    monkeypatch.setattr(augmented, "outline", watched)
    source = (rng.integers(0, 256, (10, HEIGHT, WIDTH, 3)).astype(np.uint8), np.arange(10) % CLASSES)
    path = kcnn.show_augmentation(source, "randaugment", tmp_path, validation=0.0)
    for number, sample in enumerate(drawn):
        for key, value in sample.items():
            np.testing.assert_array_equal(value, batch[key][number // (1 + augmented.VERSIONS)], err_msg=key)
    assert len(drawn) == 6 * (1 + augmented.VERSIONS)
    assert set(sample) == {"boxes", "classes", "masks", "keypoints", "mask"}
    sheet = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    kinds = {*batch["classes"][batch["classes"] >= 0].tolist(), *batch["mask"][batch["mask"] > 0].tolist()}
    assert len(kinds) > 3
    for kind in kinds:  # opaque in the legend and in outlines
        assert (sheet == np.round(255 * COLOURS[kind])).all(1).sum() > 20


def test_a_recipe_in_memory_shows_its_augment_section(rng, tmp_path):
    source = pictures(rng)
    dark = Recipe().override({"augment.steps": [{"choices": [{"operation": "invert"}]}]})
    sheets = {}
    for name, augment in (("plain", Recipe()), ("dark", dark), ("policy", "randaugment")):
        path = kcnn.show_augmentation(source, augment, tmp_path / name, validation=0.0)
        assert path == tmp_path / name / "augmented.png"
        sheets[name] = np.asarray(Image.open(path).convert("L"), float)
    assert sheets["plain"].shape == sheets["dark"].shape
    assert np.abs(sheets["plain"] - sheets["dark"]).mean() > 20
