"""Masks go wherever their pictures go, and nothing else changes them."""

import numpy as np
import pytest

from kcnn import data
from kcnn.data.mask_values import count_pixels, mask_sizes, occurring
from kcnn.data.policies import POLICIES
from kcnn.data.samples import Arrays, DataSet, Encoded, Samples, as_strings, numbered
from kcnn.errors import UserError
from kcnn.masks import IGNORE
from kcnn.recipe import Augment, Data
from tests.painted import CLASSES, COLOURS, NAMES, cells, disagreement, painted

KINDS = {"encoded": (48, 60), "arrays": (48, 60), "large": (120, 100)}  # small arrays are seen a batch at a time
MOVES = {
    "flip_horizontal": 0.5, "flip_vertical": 0.5, "crop_area": (0.2, 0.6), "scale": (0.7, 1.6), "rotation": 40.0,
    "shear": 25.0, "translation": 0.3, "perspective": 0.5, "elastic": 0.04,
}  # fmt: skip
VALUES = {
    "brightness": 0.4, "contrast": 0.4, "saturation": 0.5, "pca_colour": 0.5, "hue": 60.0, "gamma": 0.5, "grey": 0.7,
    "sharpness": 0.9, "blur": 1.2, "noise": 8.0, "erasing": 0.9, "cutout": 0.4, "grid_mask": 0.9,
}  # fmt: skip
GROUPS = [("brightness", "sharpness", "erasing"), ("contrast", "hue", "noise"), ("saturation", "gamma", "blur"),
          ("pca_colour", "cutout"), ("grey", "grid_mask")]  # fmt: skip
WITHOUT = {"policy", "policy_steps", "policy_magnitude", "steps", "fill", "crop_ratio", "mosaic", "mixup", "cutmix"}
WITHOUT |= {"copy_paste"}
FILL = 127


def made(kind):
    return painted("arrays" if kind == "large" else kind, size=KINDS[kind])


def training(samples, augment, count=2, frame=(40, 40, 3), batch=4, **options):
    stream = data.batches(samples, frame, batch, training=True, num_classes=CLASSES, augment=augment, **options)
    return list(stream.take(count).as_numpy_iterator())


def assert_together(batches, blank=FILL, judged=0.2):
    """The masks say what the pictures show; turned upside down they do not, so that this is no empty claim."""
    pairs = [pair for batch in batches for pair in zip(batch["image"], batch["mask"], strict=True)]
    wrong = np.array([disagreement(*pair, blank) for pair in pairs])
    assert wrong.max() < 0.02, wrong
    assert np.mean([disagreement(image, mask[::-1], blank) for image, mask in pairs]) > 0.05
    assert np.mean([(mask != IGNORE).mean() for _, mask in pairs]) > judged
    assert all(set(np.unique(mask)) <= {*range(CLASSES), IGNORE} for _, mask in pairs)


def test_every_field_of_the_recipe_is_tried():
    assert set(Augment.model_fields) == {*MOVES, *VALUES, *WITHOUT}
    assert {name for group in GROUPS for name in group} == set(VALUES)


EACH = [("encoded", name) for name in MOVES]
EACH += [("arrays", name) for name in ("flip_vertical", "crop_area", "rotation", "elastic")]
EACH += [("large", name) for name in ("crop_area", "rotation")]


@pytest.mark.parametrize("kind, field", EACH)
def test_every_move_keeps_masks_and_pictures_together(kind, field):
    batches = training(made(kind), Augment(fill=FILL, **{field: MOVES[field]}))
    assert batches[0]["mask"].dtype == np.uint8 and batches[0]["mask"].shape == (4, 40, 40)
    assert set(batches[0]) == {"image", "mask", "weight", "index"}
    assert_together(batches)


@pytest.mark.parametrize("fields", GROUPS)
def test_every_change_of_values_leaves_masks_in_place(fields):
    assert_together(training(made("arrays"), Augment(fill=FILL, **{name: VALUES[name] for name in fields})))


@pytest.mark.parametrize("number, name", list(enumerate(POLICIES)))
def test_every_policy_keeps_masks_and_pictures_together(number, name):
    kind = ("encoded", "arrays", "large", "arrays", "arrays")[number % 5]
    assert_together(training(made(kind), Augment(fill=FILL, policy=name), count=3), judged=0.1)


def test_all_moves_together_and_mosaic():
    everything = Augment(fill=FILL, **{**MOVES, "perspective": 0.2, "shear": 5.0, "rotation": 10.0}, mosaic=0.8)
    assert_together(training(made("encoded"), everything, count=3), judged=0.1)


def test_blanks_leave_masks_alone():
    """A blanked place keeps its class: the network must say what is hidden by what is around."""
    blanked = Augment(erasing=0.9, cutout=0.4, grid_mask=0.9)
    for one, other in zip(training(made("arrays"), Augment()), training(made("arrays"), blanked), strict=True):
        np.testing.assert_array_equal(one["mask"], other["mask"])
        assert (one["image"] != other["image"]).any()


@pytest.mark.parametrize("kind, augment", [
    ("encoded", Augment(rotation=20, crop_area=(0.3, 0.9), elastic=0.02)), ("arrays", Augment(scale=(0.5, 1.5))),
])  # fmt: skip
def test_batches_do_not_depend_on_start_threads_or_shards(kind, augment):
    samples = made(kind)
    whole = training(samples, augment, 5)
    again = training(samples, augment, 2, start=12, threads=1)
    shards = [training(samples, augment, 5, shard=(i, 2)) for i in range(2 if kind == "arrays" else 0)]
    for one, other in zip(whole[3:], again, strict=True):
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])
    for key in whole[0] if shards else ():
        both = [np.concatenate(pair) for pair in zip(*([b[key] for b in shard] for shard in shards), strict=True)]
        np.testing.assert_array_equal(np.stack(both), np.stack([batch[key] for batch in whole]))


@pytest.mark.parametrize("framing", ["crop", "pad"])
def test_evaluation_sees_the_same_from_bytes_and_from_an_array(framing):
    """In order, filled up; only `pad` shows what is outside, and that is not judged."""
    found = {}
    for kind in ("encoded", "arrays" if framing == "pad" else "floats"):
        samples = painted(kind, count=6, size=(40, 60))
        stream = data.batches(samples, (36, 36, 3), 4, training=False, num_classes=CLASSES, framing=framing)
        found[kind] = list(stream.as_numpy_iterator())
        masks = np.concatenate([batch["mask"] for batch in found[kind]])
        assert (masks == IGNORE).any() == (framing == "pad")
        assert list(found[kind][1]["weight"]) == [1, 1, 0, 0]
        np.testing.assert_array_equal(masks, np.concatenate([batch["mask"] for batch in found["encoded"]]))
    assert_together(found["encoded"], blank=0)


def test_pictures_of_many_sizes_after_the_check_read_their_headers():
    sizes = [(30, 50), (90, 40), (64, 64), (33, 47)]
    parts = [painted("encoded", 1, size, seed) for seed, size in enumerate(sizes)]
    images, masks = (Encoded(as_strings([getattr(part, name)[0] for part in parts])) for name in ("images", "masks"))
    np.testing.assert_array_equal(mask_sizes(masks), sizes)
    samples = Samples(images, np.concatenate([part.labels for part in parts]), numbered(4), masks=masks)
    checked = data.check(DataSet({"train": samples}, NAMES, False, "test"), Data()).splits["train"]
    assert checked.images.headers is not None
    augment = Augment(rotation=15, scale=(0.8, 1.3), fill=FILL)
    assert_together(training(checked, augment))


@pytest.mark.parametrize("shape", [(50,), (8, 9, 10)])
def test_signals_and_volumes_carry_their_masks_as_they_are(shape, rng):
    masks = rng.integers(0, 3, (6, *shape)).astype(np.uint8)
    values = masks[..., None].astype(np.float32)
    samples = Samples(Arrays(values), occurring(count_pixels(Arrays(masks), 3)), numbered(6), masks=Arrays(masks))
    stream = data.batches(samples, (*shape, 1), 3, training=True, num_classes=3, augment=Augment())
    for batch in stream.take(3).as_numpy_iterator():
        np.testing.assert_array_equal(batch["mask"], batch["image"][..., 0])
        np.testing.assert_array_equal(batch["mask"], masks[batch["index"]])


@pytest.mark.parametrize("field, words", [
    ("mixup", "mixes labels, which masks cannot follow"), ("cutmix", "augment.mosaic can"),
])  # fmt: skip
def test_what_masks_cannot_follow_is_refused(field, words):
    with pytest.raises(UserError, match=words):
        training(made("encoded"), Augment(**{field: 0.5}))


def test_a_data_set_says_its_task_counts_pixels_and_takes_masks_along():
    samples = made("encoded")
    found = DataSet({"train": samples, "val": samples.take(np.array([2, 5]))}, NAMES, False, "test").stamped()
    values = cells(8, KINDS["encoded"])
    assert found.task == "masks" and found.class_pixels() == tuple(np.bincount(values.ravel(), minlength=4))
    assert found.class_pixels("val") == tuple(np.bincount(values[[2, 5]].ravel(), minlength=4))
    assert found.class_counts() == tuple((values == k).any((1, 2)).sum() for k in range(CLASSES))
    counted = Samples(samples.images, samples.labels, samples.names, masks=samples.masks,
                      pixels=count_pixels(samples.masks, CLASSES))  # fmt: skip
    again = DataSet({"train": counted, "val": counted.take(np.array([2, 5]))}, NAMES, False, "test").stamped()
    assert again.class_pixels("val") == found.class_pixels("val") and again.fingerprint == found.fingerprint
    other = Samples(samples.images, samples.labels, samples.names, masks=samples.masks.take(np.arange(8)[::-1]))
    assert DataSet({"train": other}, NAMES, False, "test").stamped().fingerprint != found.fingerprint
    with pytest.raises(ValueError, match="parts of samples differ in length"):
        Samples(samples.images, samples.labels, samples.names, masks=samples.masks.take(np.arange(3)))


def test_facts_say_the_task_and_the_class_pixels(tmp_path):
    from kcnn.recipe import Recipe

    found = DataSet({"train": made("arrays")}, NAMES, False, "test").stamped()
    facts = data.facts_of(found, Recipe())
    assert facts.task == "masks" and facts.class_pixels == found.class_pixels() and not facts.multi_label
    facts.write(tmp_path / "facts.json")
    assert data.Facts.read(tmp_path / "facts.json") == facts
    labels = Samples(Arrays(COLOURS[cells(4, (8, 8))]), np.arange(4, dtype=np.int32), numbered(4))
    assert (known := DataSet({"train": labels}, NAMES, False, "test")).task == "labels"
    assert known.class_pixels() == () and data.facts_of(known, Recipe()).task == "labels"
