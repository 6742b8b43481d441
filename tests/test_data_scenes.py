"""Digit scenes: the same for everybody, honest splits, and masks, boxes and instances that agree."""

import hashlib
from dataclasses import replace

import numpy as np

from kcnn import data
from kcnn.data.builtin import BUILTIN
from kcnn.data.scenes import COUNTS, SIDE, all_scenes
from kcnn.recipe import Data
from tests.painted import inner


def test_the_data_set():
    found = data.load("builtin:digit-scenes", Data(), 3)
    assert found.task == "masks" and found.class_names == ("background", *"0123456789")
    assert {split: len(samples) for split, samples in found.splits.items()} == COUNTS
    assert data.choose_frame(found, Data()) == (SIDE, SIDE, 1) and not found.notes
    pixels = np.array(found.class_pixels())
    assert 0.85 < pixels[0] / pixels.sum() < 0.95 and pixels[1:].max() < 3 * pixels[1:].min()
    assert data.check(found, Data()).set_aside == []


def test_it_depends_on_no_option_and_no_seed():
    one, other = (
        BUILTIN["digit-scenes"](Data(validation=share), seed).stamped() for share, seed in ((0.1, 0), (0.5, 9))
    )
    assert one.fingerprint == other.fingerprint
    all_scenes.cache_clear()
    again = BUILTIN["digit-scenes"](Data(), 0).stamped()
    assert again.fingerprint == one.fingerprint and replace(again, fingerprint="").stamped() is not again


def test_no_digit_of_val_or_test_scenes_is_in_a_training_scene():
    """By the digits' own pixels, not only by their numbers; and all digits are used."""
    from sklearn.datasets import load_digits

    pictures = load_digits().images
    shown = {split: set(scenes.digits[scenes.digits >= 0].tolist()) for split, scenes in all_scenes().items()}
    contents = {
        split: {hashlib.sha256(pictures[i].tobytes()).hexdigest() for i in places} for split, places in shown.items()
    }
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        assert not shown[one] & shown[other] and not contents[one] & contents[other]
    assert len(set.union(*shown.values())) == 1797


def test_masks_boxes_and_instances_agree():
    for scenes in all_scenes().values():
        there = scenes.classes >= 0
        assert there[:, 0].all() and there.sum(1).max() == 5 and (np.diff(there.astype(int), axis=1) <= 0).all()
        kinds = np.concatenate([np.full((len(there), 1), -1), scenes.classes], 1)
        masks = np.take_along_axis(kinds, scenes.instances.reshape(len(there), -1).astype(int), 1) + 1
        np.testing.assert_array_equal(masks.reshape(scenes.masks.shape), scenes.masks)
        for i in range(0, len(there), 7):
            for place in np.flatnonzero(there[i]):
                rows, columns = np.nonzero(scenes.instances[i] == place + 1)
                ends = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
                np.testing.assert_array_equal(scenes.boxes[i, place], ends)
                assert len(rows) > 50


def test_a_digit_stands_out_from_its_surroundings():
    """Its places are darker or brighter than those around it by far more than the noise."""
    scenes = all_scenes()["test"]
    for image, instances in zip(scenes.images[:60, ..., 0].astype(float), scenes.instances[:60], strict=True):
        around = np.median(image[instances == 0])
        for place in range(1, instances.max() + 1):
            assert abs(np.median(image[instances == place]) - around) > 40
        assert image[inner(instances) & (instances == 0)].std() < 40
