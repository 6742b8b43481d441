"""The stream: the same batch for the same number, wherever it starts and however many threads work."""

import numpy as np
import pytest
import tensorflow as tf

from kcnn import data
from kcnn.data.samples import Arrays, Encoded, Files, Samples, as_strings, numbered
from kcnn.errors import UserError
from kcnn.recipe import Augment, Data

EVERYTHING = Augment(
    flip_horizontal=0.5, flip_vertical=0.3, crop_area=(0.4, 1), scale=(0.9, 1.2), rotation=15, shear=5, translation=0.1,
    brightness=0.3, contrast=0.3, saturation=0.3, pca_colour=0.1, erasing=0.5, mixup=0.2, cutmix=1.0, fill=50,
)  # fmt: skip
COUNT, BATCH = 22, 4


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """{"files", "bytes", "arrays", "floats": Samples} of the same random pictures."""
    values = np.random.default_rng(0).integers(0, 255, (COUNT, 24, 30, 3), np.uint8)
    folder = tmp_path_factory.mktemp("pictures")
    items = [tf.io.encode_jpeg(v).numpy() if i % 2 else tf.io.encode_png(v).numpy() for i, v in enumerate(values)]
    paths = [str(folder / f"{i}.bin") for i in range(COUNT)]
    for path, item in zip(paths, items, strict=True):
        tf.io.write_file(path, item)
    labels, weights = np.arange(COUNT, dtype=np.int32) % 3, np.arange(COUNT, dtype=np.float32)
    images = {"files": Files(as_strings(paths)), "bytes": Encoded(as_strings(items)), "arrays": Arrays(values)}
    images["floats"] = Arrays(np.random.default_rng(1).normal(size=(COUNT, 24, 30, 5)).astype(np.float32))
    return {kind: Samples(image, labels, numbered(COUNT), weights) for kind, image in images.items()}


def training(samples, count, frame=(16, 16, 3), start=0, **options):
    options = {"augment": EVERYTHING, "seed": 7, **options}
    stream = data.batches(samples, frame, BATCH, training=True, num_classes=3, start=start, **options)
    return list(stream.take(count).as_numpy_iterator())


def assert_same(some, others):
    for one, other in zip(some, others, strict=True):
        assert set(one) == {"image", "label", "weight", "index"} == set(other)
        for key, value in one.items():
            np.testing.assert_array_equal(value, other[key])


@pytest.mark.parametrize("kind", ["files", "arrays"])
def test_any_start_and_any_threads_give_the_same_batches(samples, kind):
    """With everything drawn; and the same whether the check has read the headers or not."""
    found = data.DataSet({"train": samples[kind]}, ("a", "b", "c"), False, "test")
    checked = data.check(found, Data()).splits["train"]
    assert kind == "arrays" or checked.images.headers is not None
    whole = training(checked, 14)
    assert_same(whole[9:], training(samples[kind], 5, start=9 * BATCH, threads=1))
    assert whole[0]["image"].dtype == np.uint8 and whole[0]["label"].shape == (BATCH, 3)
    if kind == "arrays":
        assert_same(whole[3:6], training(checked, 3, start=3 * BATCH, threads=3))
        other = training(checked, 2, seed=8)
        assert (np.stack([b["index"] for b in whole[:2]]) != np.stack([b["index"] for b in other])).any()


@pytest.mark.parametrize("kind", ["files", "arrays"])
@pytest.mark.parametrize("fields", [
    {"policy": "randaugment", "policy_steps": 3, "policy_magnitude": 25.0, "crop_area": (0.4, 1.0)},
    {"policy": "autoaugment_svhn", "cutout": 0.3},
    {"hue": 20, "grey": 0.3, "gamma": 0.5, "sharpness": 1.0, "blur": 1.0, "noise": 9.0, "elastic": 0.03,
     "perspective": 0.3, "grid_mask": 0.5},
])  # fmt: skip
def test_policies_and_programs_give_the_same_batches_too(samples, kind, fields):
    augment = Augment(**fields)
    whole = training(samples[kind], 9, augment=augment)
    assert_same(whole[6:], training(samples[kind], 3, start=6 * BATCH, threads=1, augment=augment))
    assert whole[0]["image"].dtype == np.uint8 and whole[0]["image"].shape == (BATCH, 16, 16, 3)
    grey = training(samples[kind], 1, (16, 16, 1), augment=augment)
    assert grey[0]["image"].shape == (BATCH, 16, 16, 1)


def test_a_program_with_nothing_to_do_leaves_pictures_alone(samples):
    """Policies whose draws are all the identity, small pictures and large, and the plain stream agree."""
    still = Augment(policy="randaugment", policy_magnitude=0, policy_steps=1)
    for one, other in zip(training(samples["arrays"], 5, (24, 30, 3), augment=still),
                          training(samples["arrays"], 5, (24, 30, 3), augment=None), strict=True):  # fmt: skip
        same = (one["image"] == other["image"]).all((1, 2, 3))
        assert same.mean() >= 0.25, "all but equalize, autocontrast and posterize of 8 bits are neutral at 0"


def test_float_data_takes_the_same_road(samples):
    augment = Augment(flip_horizontal=0.5, crop_area=(0.4, 1), translation=0.1, erasing=0.5, mixup=0.2)
    whole = training(samples["floats"], 8, (20, 20, 5), augment=augment)
    assert whole[0]["image"].dtype == np.float32
    assert_same(whole[5:], training(samples["floats"], 3, (20, 20, 5), start=5 * BATCH, augment=augment, threads=1))


def test_each_epoch_visits_each_sample_once(samples):
    index = np.concatenate([batch["index"] for batch in training(samples["arrays"], 22, augment=None)])
    epochs = index.reshape(4, COUNT)
    np.testing.assert_array_equal(np.sort(epochs, 1), np.tile(np.arange(COUNT), (4, 1)))
    assert len({tuple(epoch) for epoch in epochs}) == 4


@pytest.mark.parametrize("kind, frame", [("arrays", (24, 30, 3)), ("bytes", (16, 16, 1)), ("floats", (24, 30, 5))])
def test_one_pass_is_in_order_and_padded(samples, kind, frame):
    batches = list(data.batches(samples[kind], frame, 8, training=False, num_classes=3).as_numpy_iterator())
    index = np.concatenate([batch["index"] for batch in batches])
    assert index.tolist() == [*range(COUNT), -1, -1]
    weight = np.concatenate([batch["weight"] for batch in batches])
    assert weight.tolist() == [*range(COUNT), 0, 0]
    assert all(batch["image"].shape == (8, *frame) for batch in batches)
    np.testing.assert_array_equal(batches[1]["label"], np.arange(8, 16) % 3)


@pytest.mark.parametrize("kind, frame", [("bytes", (16, 16, 3)), ("arrays", (24, 30, 3)), ("arrays", (50, 40, 3))])
def test_evaluation_and_reading_see_the_same_frame(samples, kind, frame):
    batch = next(iter(data.batches(samples[kind], frame, COUNT, training=False, num_classes=3)))
    frames, ok = data.read(list(getattr(samples[kind].images, "items" if kind == "bytes" else "values")), frame)
    assert ok.all()
    np.testing.assert_array_equal(frames, batch["image"])


def test_several_labels_and_no_weights(samples):
    labels = np.eye(3, dtype=np.float32)[np.arange(COUNT) % 3]
    several = Samples(samples["arrays"].images, labels, numbered(COUNT))
    batch = training(several, 1, augment=None)[0]
    assert batch["label"].shape == (BATCH, 3) and batch["weight"].tolist() == [1] * BATCH


def test_statistics_are_those_of_the_channels(samples):
    mean, std = data.statistics(samples["floats"])
    values = samples["floats"].images.values
    np.testing.assert_allclose(mean, values.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(std, values.std((0, 1, 2)), atol=1e-5)
    constant = Samples(Arrays(np.full((2, 3, 3, 1), 7, np.float32)), np.zeros(2, np.int32), numbered(2))
    assert data.statistics(constant) == ((7.0,), (1.0,))


@pytest.mark.parametrize("settings, way_out", [
    ({"policy": "randaugment"}, "augment.policy .*: switch it off \\(none\\)$"),
    ({"steps": [{"choices": [{"operation": "equalize"}]}]}, "augment.steps .*: switch it off \\(none\\)$"),
    ({"blur": 1.0}, "augment.blur .*: set it to 0$"),
])  # fmt: skip
def test_the_way_out_on_float_data_is_one_that_the_recipe_takes(samples, settings, way_out):
    with pytest.raises(UserError, match=way_out):
        training(samples["floats"], 1, (24, 30, 5), augment=Augment(**settings))


def test_what_cannot_be_is_refused_in_one_line(samples):
    with pytest.raises(UserError, match="batch_size is 23 but there are 22 training pictures"):
        data.batches(samples["arrays"], (8, 8, 3), 23, training=True, num_classes=3)
    with pytest.raises(UserError, match="augment.brightness needs 8-bit pictures"):
        training(samples["floats"], 1, (24, 30, 5), augment=Augment(brightness=0.2))
    signals = Samples(Arrays(np.zeros((COUNT, 9, 2), np.float32)), np.zeros(COUNT, np.int32), numbered(COUNT))
    with pytest.raises(UserError, match="geometry need pictures"):
        training(signals, 1, (9, 2), augment=Augment(flip_horizontal=0.5))
    assert training(signals, 1, (9, 2), augment=Augment())[0]["image"].shape == (BATCH, 9, 2)
    with pytest.raises(ValueError, match="multiple of the batch"):
        training(samples["arrays"], 1, start=3)
