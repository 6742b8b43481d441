"""Masks as arrays, .npz files, tf.data and TensorFlow Datasets."""

import numpy as np
import pytest
import tensorflow as tf

from kcnn import data
from kcnn.data.mask_values import mask_of
from kcnn.errors import UserError
from kcnn.recipe import Data
from tests.painted import COLOURS, cells

SIZE = (10, 14)
VALUES = cells(6, SIZE)
PICTURES = COLOURS[VALUES]


def load(address, **options):
    options = Data(**{"validation": 0, **options})
    return data.check(data.load(address, options, 0), options)


def masks_in(samples):
    return [mask_of(samples.masks, i) for i in range(len(samples))]


SHAPES = {
    "pictures": (PICTURES, VALUES), "grey": (PICTURES[..., 0], VALUES), "one channel": (PICTURES, VALUES[..., None]),
    "wide numbers": (PICTURES, VALUES.astype(np.int64)), "whole floats": (PICTURES, VALUES.astype(np.float32)),
    "many bands": (np.zeros((6, *SIZE, 5), np.float32), VALUES),
    "signals": (np.zeros((6, 10, 2), np.float32), VALUES[:, :, 0]),
    "signals, one channel": (np.zeros((6, 10, 2), np.float32), VALUES[:, :, :1]),
    "volumes": (np.zeros((6, 4, *SIZE, 1), np.float32), np.repeat(VALUES[:, None], 4, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_arrays(name):
    x, y = SHAPES[name]
    found = load((x, y))
    train = found.splits["train"]
    expected = y[..., 0] if y.ndim == train.images.values.ndim else y
    assert found.task == "masks" and found.class_names == tuple(f"class {k}" for k in range(4))
    assert train.masks.values.dtype == np.uint8 and not found.multi_label
    np.testing.assert_array_equal(train.masks.values, expected)
    np.testing.assert_array_equal(train.labels[:, 2], (expected == 2).any(tuple(range(1, expected.ndim))))
    assert found.class_pixels() == tuple(np.bincount(expected.astype(int).ravel(), minlength=4))


def test_labels_stay_labels():
    """One column of numbers, one column a class, and as many columns as a signal has steps but of other shape."""
    signals = np.zeros((6, 10, 2), np.float32)
    for y in (np.arange(6) % 2, (np.arange(6) % 2)[:, None], np.eye(2)[np.arange(6) % 2]):
        assert load((signals, y)).task == "labels" and load((PICTURES, y)).task == "labels"


def test_splits_weights_names_and_npz(tmp_path):
    found = load({"train": (PICTURES, VALUES, np.arange(6.0)), "test": (PICTURES[:2], VALUES[:2]),
                  "class_names": ["a", "b", "c", "d", "e"]})  # fmt: skip
    assert set(found.splits) == {"train", "test"} and found.class_names[4] == "e"
    assert any("1 of 5 classes never occur in a mask: e" in note for note in found.notes)
    np.savez(tmp_path / "set.npz", images_train=PICTURES, masks_train=VALUES, images_val=PICTURES, masks_val=VALUES)
    again = load(tmp_path / "set.npz")
    np.testing.assert_array_equal(again.splits["val"].masks.values, VALUES)
    assert again.task == "masks" and "masks of 4 classes" in again.format


def test_what_is_not_judged():
    """255 and -1; 255 alone beside 0 is the second class; yes and no are two classes."""
    odd = VALUES.astype(np.int32)
    odd[:, 0], odd[:, 1] = 255, -1
    seen = load((PICTURES, odd)).splits["train"].masks.values
    assert (seen[:, :2] == 255).all()
    np.testing.assert_array_equal(seen[:, 2:], VALUES[:, 2:])
    for two in ((VALUES > 1) * np.uint8(255), VALUES > 1):
        found = load((PICTURES, two))
        np.testing.assert_array_equal(found.splits["train"].masks.values, VALUES > 1)
        assert found.num_classes == 2


@pytest.mark.parametrize("x, y, words", [
    (PICTURES, VALUES[:, :8], r"the shape \(6, 8, 14\), and the data \(6, 10, 14, 3\): they must be \(6, 10, 14\)"),
    (PICTURES, VALUES / 2, "whole class numbers, not float64 with fractions"),
    (PICTURES, np.where(VALUES, VALUES, np.inf), "whole class numbers, not float64 with fractions or infinity"),
    (PICTURES, np.where(VALUES, VALUES, np.nan), "whole class numbers, not float64 with fractions"),
    (PICTURES, np.repeat(VALUES[..., None], 3, -1), "have 3 channels; give one"),
    (PICTURES, VALUES.astype(int) * 100, "from 0 to 254 .255 is not judged., not 300"),
    (PICTURES, VALUES.astype(int) - 4, "not -4"),
    (PICTURES, np.where(VALUES, 250, VALUES), "2 numbers up to 250, and no list names them: .* soft edges"),
])  # fmt: skip
def test_bad_arrays(x, y, words):
    with pytest.raises(UserError, match=words):
        load((x, y))


@pytest.mark.parametrize("name", SHAPES)
def test_lists_are_read_as_arrays(name):
    x, y = SHAPES[name]
    one, other = load((x, y)), load((list(x), list(y)))
    np.testing.assert_array_equal(other.splits["train"].masks.values, one.splits["train"].masks.values)
    assert other.class_names == one.class_names and other.task == "masks"


def test_lists_of_labels_stay_labels():
    """A column a class, also as many as a signal has channels; lists of several lengths are refused."""
    for x in (np.zeros((6, 10, 2), np.float32), PICTURES):
        for y in ([[0, 1]] * 5 + [[1, 0]], [[1]] * 5 + [[0]], list("aabbab")):
            assert load((x, y)).task == "labels"
        with pytest.raises(UserError, match="labels of split 'train' are lists of several lengths; give"):
            load((x, [["a", "b"]] * 3 + [["a"]] * 3))


def test_lists_of_several_shapes_and_volumes_without_channels():
    with pytest.raises(UserError, match=r"several shapes, such as \(10, 13\), \(10, 14\): all must be \(10, 14\)"):
        load((PICTURES, [*VALUES[:5], VALUES[5, :, 1:]]))
    volumes, masks = np.zeros((6, 4, *SIZE), np.float32), np.repeat(VALUES[:, None], 4, 1)
    with pytest.raises(UserError, match=r"read as channels; give volumes of one channel as \(6, 4, 10, 14, 1\)"):
        load((list(volumes), list(masks)))


def test_numbers_beyond_the_names():
    with pytest.raises(UserError, match=r"the masks have class 3; class_names has 3 \(0 to 2\)"):
        load({"train": (PICTURES, VALUES), "class_names": ["a", "b", "c"]})


@pytest.mark.parametrize("rows", [
    (PICTURES, VALUES), {"image": PICTURES, "mask": VALUES[..., None]},
    {"image": PICTURES, "segmentation_mask": VALUES, "label": np.arange(6)},
])  # fmt: skip
def test_tf_data(rows):
    for stream in (tf.data.Dataset.from_tensor_slices(rows), tf.data.Dataset.from_tensor_slices(rows).batch(4)):
        found = load(stream)
        np.testing.assert_array_equal(found.splits["train"].masks.values, VALUES)


def test_tf_data_of_several_sizes_and_without_a_target():
    sizes = [(8, 9), (7, 12), (10, 6)]
    values = [cells(1, size, i)[0] for i, size in enumerate(sizes)]

    def rows():
        yield from ((COLOURS[mask], mask) for mask in values)

    signature = (tf.TensorSpec([None, None, 3], tf.uint8), tf.TensorSpec([None, None], tf.uint8))
    found = load(tf.data.Dataset.from_generator(rows, output_signature=signature))
    for seen, mask in zip(masks_in(found.splits["train"]), values, strict=True):
        np.testing.assert_array_equal(seen, mask)
    with pytest.raises(UserError, match="it needs 'image' and 'label' or 'mask'"):
        load(tf.data.Dataset.from_tensor_slices({"image": PICTURES}))


def prepared(folder, mask, supervised=None, more=None):
    """A small set of TensorFlow Datasets, prepared in `folder`: pictures, masks of the feature `mask`, and `more`."""
    import tensorflow_datasets as tfds

    features = {"image": tfds.features.Image(shape=(None, None, 3)), **mask, **(more or {})}
    key, extra = next(iter(mask)), {name: PICTURES[0] if name == "other" else 1 for name in more or ()}

    class KcnnPainted(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict(features), supervised_keys=supervised
            )

        def _split_generators(self, manager):
            return {"train": self._generate_examples(0, 4), "test": self._generate_examples(4, 6)}

        def _generate_examples(self, low, high):
            for i in range(low, high):
                yield i, {"image": PICTURES[i], key: VALUES[i][..., None], **extra}

    builder = KcnnPainted(data_dir=str(folder))
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
    return builder


def load_tfds(monkeypatch, builder, **options):
    monkeypatch.setattr("kcnn.data.tfds._builder", lambda name: builder)
    return load("tfds:kcnn_painted", **options)


def test_tfds_of_masks_by_name(tmp_path, monkeypatch):
    """Beside a class the set's supervised keys decide, and data.label_column above them."""
    import tensorflow_datasets as tfds

    mask = {"segmentation_mask": tfds.features.Image(shape=(None, None, 1))}
    label = {"label": tfds.features.ClassLabel(num_classes=2)}
    alone = prepared(tmp_path / "a", mask, ("image", "segmentation_mask"))
    both = prepared(tmp_path / "b", mask, ("image", "label"), label)
    for builder, options in ((alone, {}), (both, {"label_column": "segmentation_mask"})):
        found = load_tfds(monkeypatch, builder, **options)
        assert found.task == "masks" and "segmentation_mask" in found.format and found.num_classes == 4
        seen = {tuple(mask.ravel()) for split in found.splits.values() for mask in masks_in(split)}
        assert seen == {tuple(mask.ravel()) for mask in VALUES} and len(found.splits["test"]) == 2
    monkeypatch.setattr("kcnn.data.tfds._builder", lambda name: both)
    assert data.load("tfds:kcnn_painted", Data(), 0).task == "labels"


def test_tfds_of_labelled_images(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    names = ["ground", "red", "green", "yellow"]
    mask = {"where": tfds.features.LabeledImage(labels=names, shape=(None, None, 1))}
    found = load_tfds(monkeypatch, prepared(tmp_path, mask))
    assert found.class_names == tuple(names) and found.task == "masks"
    two = prepared(tmp_path / "two", mask, None, {"other": tfds.features.Image(shape=(None, None, 3))})
    with pytest.raises(UserError, match="has 2 picture features beside the mask 'where'"):
        load_tfds(monkeypatch, two)
