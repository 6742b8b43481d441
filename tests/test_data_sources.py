"""Every way of giving data is read, in a fixed order, and what cannot be read is one clear line."""

import csv

import numpy as np
import pytest
import tensorflow as tf

from kcnn import data
from kcnn.errors import UserError
from kcnn.recipe import Data

PICTURE = tf.io.encode_jpeg(np.full((9, 7, 3), 90, np.uint8)).numpy()


def fill(folder, count=4, name="{:02d}.jpg", content=PICTURE):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        (folder / name.format(i)).write_bytes(content)
    return folder


def load(address, **options):
    return data.load(address, Data(**{"validation": 0, **options}), 0)


def test_a_folder_a_class(tmp_path):
    fill(tmp_path / "cat", 3)
    fill(tmp_path / "dog", 5, "{}.png")
    fill(tmp_path / "dog" / "deeper", 2)
    (tmp_path / "dog" / "notes.txt").write_text("not a picture")
    (tmp_path / "cat" / ".hidden.jpg").write_bytes(PICTURE)
    fill(tmp_path / "cat", 1, "no_suffix")
    found = load(tmp_path)
    assert found.class_names == ("cat", "dog") and found.class_counts() == (4, 7)
    assert list(found.splits["train"].names[:4]) == ["cat/00.jpg", "cat/01.jpg", "cat/02.jpg", "cat/no_suffix"]
    assert any("notes.txt" in note for note in found.notes) and found.name == tmp_path.name


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "validation", "unseen"), ("train", "valid")])
def test_split_folders_by_any_of_their_names(tmp_path, names):
    for name in names:
        for label in ("1", "2", "10"):
            fill(tmp_path / name / label, 2)
    found = load(tmp_path, validation=0.5)
    meant = {"Training": "train", "validation": "val", "valid": "val"}
    assert set(found.splits) == {meant.get(name, name) for name in names}
    assert found.class_names == ("1", "2", "10") and len(found.splits["train"]) == 6


def write_csv(path, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_csv_with_weights_and_splits(tmp_path):
    fill(tmp_path / "p", 4)
    rows = [["file", "kind", "w", "part"]] + [
        [f"p/0{i}.jpg", "ab"[i % 2], i, ("train", "valid")[i > 1]] for i in range(4)
    ]
    found = load(
        write_csv(tmp_path / "t.csv", rows),
        image_column="file", label_column="kind", weight_column="w", split_column="part",
    )  # fmt: skip
    assert {k: len(v) for k, v in found.splits.items()} == {"train": 2, "val": 2}
    assert found.splits["train"].weights.tolist() == [0, 1] and found.splits["val"].labels.tolist() == [0, 1]
    assert found.splits["val"].columns["part"].tolist() == ["valid"] * 2 and "file" not in found.splits["val"].columns


def test_csv_with_several_labels(tmp_path):
    fill(tmp_path, 3)
    found = load(
        write_csv(tmp_path / "t.csv", [["image", "label"], ["00.jpg", "b|a"], ["01.jpg", "a"], ["02.jpg", ""]])
    )
    assert found.multi_label and found.splits["train"].labels.tolist() == [[1, 1], [1, 0], [0, 0]]


def test_arrays_npz_and_tf_data_agree(tmp_path, rng):
    x, y = rng.integers(0, 255, (12, 5, 6, 3), np.uint8), np.arange(12) % 3
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x[:2], y_test=y[:2])
    sources = [(x, y), {"train": (x, y)}, (x, np.eye(3)[y]), (x, y.astype(float)), (x.astype(np.int64), y[:, None])]
    sources += [tmp_path / "a.npz", tf.data.Dataset.from_tensor_slices((x, y))]
    sources += [tf.data.Dataset.from_tensor_slices({"image": x, "label": y}).batch(5)]
    for source in sources:
        train = load(source).splits["train"]
        np.testing.assert_array_equal(train.images.values, x)
        assert train.labels.tolist() == y.tolist() and train.labels.dtype == np.int32
    assert len(load(tmp_path / "a.npz").splits["test"]) == 2


def test_labels_of_every_kind(rng):
    x = rng.random((6, 4, 4, 2))
    assert load((x, list("aabbab"))).class_names == ("a", "b")
    several = load((x, np.array([[1, 1], [0, 1], [0, 0], [1, 0], [1, 1], [0, 1]])))
    assert several.multi_label and several.splits["train"].labels.dtype == np.float32
    soft = load((x, np.tile([0.25, 0.75], (6, 1))))
    assert not soft.multi_label and soft.splits["train"].labels.shape == (6, 2)
    assert load((x, np.arange(6) % 2)).splits["train"].is_float


def test_tf_data_of_many_sizes_is_kept_losslessly(rng):
    pictures = [rng.integers(0, 255, (4 + i, 6, 3), np.uint8) for i in range(4)]
    stream = tf.data.Dataset.from_generator(
        lambda: ((p, i % 2) for i, p in enumerate(pictures)),
        output_signature=(tf.TensorSpec([None, None, 3], tf.uint8), tf.TensorSpec([], tf.int32)),
    )
    train = load(stream).splits["train"]
    np.testing.assert_array_equal(tf.io.decode_png(train.images.items[3]), pictures[3])


def test_builtin_digits():
    found = data.load("builtin:digits", Data(), 0)
    assert {k: len(v) for k, v in found.splits.items()} == {"train": 1222, "test": 359, "val": 216}
    values = found.splits["train"].images.values
    assert values.dtype == np.uint8 and values.shape[1:] == (8, 8, 1) and values.max() == 255
    other = data.load("builtin:digits", Data(), 1)
    assert set(other.splits["test"].names) != set(found.splits["test"].names)


@pytest.mark.needs_data
def test_tfds_offline():
    found = load("tfds:fashion_mnist")
    assert {k: v.images.values.shape for k, v in found.splits.items()} == {
        "train": (60000, 28, 28, 1),
        "test": (10000, 28, 28, 1),
    }
    assert found.class_names[9] == "Ankle boot" and set(found.class_counts()) == {6000}


def test_the_split_is_stratified_and_stable(rng):
    y = np.repeat(np.arange(4), [400, 100, 20, 1])
    x = np.zeros((521, 4, 4, 1), np.uint8)
    splits = data.load((x, y), Data(validation=0.2, test=0.1, limit=300), 3).splits
    again = data.load((x, y), Data(validation=0.2, test=0.1, limit=300), 3).splits
    assert all(list(splits[k].names) == list(again[k].names) for k in splits)
    assert np.bincount(splits["test"].labels, minlength=4).tolist() == [40, 10, 2, 0]
    assert len(splits["train"]) + len(splits["val"]) <= 300
    assert abs(np.bincount(splits["val"].labels, minlength=4) / len(splits["val"]) - [0.77, 0.19, 0.04, 0]).max() < 0.02
    assert not set(splits["train"].names) & (set(splits["val"].names) | set(splits["test"].names))


def test_the_fingerprint_sees_every_change(tmp_path):
    fill(tmp_path / "a"), fill(tmp_path / "b")
    first = load(tmp_path).fingerprint
    assert first == load(tmp_path).fingerprint != load(tmp_path, validation=0.5).fingerprint
    (tmp_path / "a" / "00.jpg").write_bytes(PICTURE + b"x")
    assert load(tmp_path).fingerprint != first
    x = np.zeros((4, 3, 3, 1), np.uint8)
    y = [0, 1, 0, 1]
    assert load((x, y)).fingerprint != load((x + 1, y)).fingerprint


ERRORS = {
    "no such folder": (lambda p: p / "nosuch", "no such folder"),
    "a name too long": (lambda p: p / ("n" * 300), "no such folder"),
    "a file's name too long": (lambda p: p / ("n" * 300 + ".csv"), "File name too long"),
    "a near name": (lambda p: fill(p / "photos" / "a").parent.parent / "photo", "did you mean 'photos'"),
    "no such csv": (lambda p: p / "no.csv", "no such file"),
    "unknown prefix": (lambda p: "tfsd:mnist", "did you mean 'tfds:'"),
    "unknown builtin": (lambda p: "builtin:digit", "did you mean 'digits'"),
    "a number": (lambda p: 7, "data of type int"),
    "wrong kind of file": (lambda p: fill(p, 1, "a.doc") / "a.doc", ".doc file"),
    "lengths": (lambda p: (np.zeros((3, 4, 4, 1)), [0, 1]), "differ in number"),
    "negative label": (lambda p: (np.zeros((2, 4, 4, 1)), [-1, 1]), "from 0 up"),
    "text as npz": (lambda p: fill(p, 1, "a.npz", b"abc") / "a.npz", "cannot be read as .npz"),
    "csv column": (lambda p: write_csv(p / "a.csv", [["images", "label"], ["x", "y"]]), "did you mean 'images'"),
    "csv cell": (lambda p: write_csv(p / "a.csv", [["image", "label"], ["x", ""], ["y", "a"]]), "line 2"),
    "endless": (lambda p: tf.data.Dataset.from_tensors((np.zeros((2, 2, 1)), 0)).repeat(), "endless"),
    "no train": (lambda p: {"test": (np.zeros((2, 4, 4, 1)), [0, 1])}, "no training pictures"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_each_mistake_is_one_clear_line(tmp_path, case):
    make, words = ERRORS[case]
    with pytest.raises(UserError, match=words) as caught:
        load(make(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_data_is_shown_with_the_layouts(tmp_path):
    with pytest.raises(UserError, match="it is empty; accepted: DIR/CLASS"):
        load(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("x")
    with pytest.raises(UserError, match=r"hold no pictures.*\n.*\n.*\n  docs/\n    a.txt"):
        load(tmp_path)
    fill(tmp_path / "loose", 2)
    with pytest.raises(UserError, match="holds 2 pictures but no class folders"):
        load(tmp_path / "loose")
