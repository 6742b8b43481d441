"""Predictions on disk come back as they were, and a file from elsewhere cannot do harm."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from kcnn.data import Arrays, Samples
from kcnn.errors import UserError
from kcnn.evaluation.classification import losses
from kcnn.evaluation.predictions import Predictions
from kcnn.evaluation.stored import COLUMNS, MOST_EXACT, identity_of, place, read_stored, store
from tests.test_evaluation_figures import random_case

NAMES = np.array([f"pictures/{i} ü\n|.png" for i in range(299)] + ["\udcff.png"], object)


@pytest.mark.parametrize("multi_label", [False, True])
def test_what_is_stored_comes_back(tmp_path, rng, multi_label):
    p = random_case(rng, multi_label=multi_label, weighted=True)
    store(tmp_path, "test", p, losses(p), NAMES, "ab12")
    got = read_stored(tmp_path, "test")
    np.testing.assert_array_equal(got.scores, p.scores)
    np.testing.assert_array_equal(got.labels, p.labels)
    np.testing.assert_array_equal(got.predicted, p.scores > 0.5 if multi_label else p.scores.argmax(1))
    np.testing.assert_allclose(got.loss, losses(p), rtol=1e-6)
    np.testing.assert_array_equal(got.weights, p.weights)
    assert got.names == NAMES.tolist() and got.identity == "ab12"


def test_many_scores_take_half_the_room_and_keep_the_answers(tmp_path, rng):
    p = random_case(rng, n=MOST_EXACT // 7 + 1)
    names = np.array(["a"] * len(p), object)
    store(tmp_path, "test", p, losses(p), names, "")
    got = read_stored(tmp_path, "test")
    assert got.scores.dtype == np.float16
    np.testing.assert_array_equal(got.predicted, p.scores.argmax(1))


def test_a_split_of_any_name_stays_in_the_folder(tmp_path):
    names = ("../up", "a/b", "a_b", "a:b", "ü" * 300, "", ".", "con")
    paths = [place(tmp_path, name) for name in names]
    assert all(path.parent == tmp_path and len(path.name) < 100 and path.name.isascii() for path in paths)
    assert len({path.name.lower() for path in paths}) == len(names)
    assert place(tmp_path, "test").name == "predictions-test.npz"


def test_identity_tells_pictures_labels_order_and_classes_apart(rng):
    values, labels = rng.integers(0, 255, (6, 4, 4, 1), np.uint8), np.arange(6, dtype=np.int32) % 2
    names = np.array(list("abcdef"), object)
    one = identity_of(Samples(Arrays(values), labels, names), ("x", "y"))
    assert one == identity_of(Samples(Arrays(values.copy()), labels.copy(), names.copy()), ("x", "y"))
    others = [
        identity_of(Samples(Arrays(255 - values), labels, names), ("x", "y")),
        identity_of(Samples(Arrays(values), 1 - labels, names), ("x", "y")),
        identity_of(Samples(Arrays(values), labels, names).take(np.arange(6)[::-1]), ("x", "y")),
        identity_of(Samples(Arrays(values), labels, names), ("y", "x")),
        identity_of(Samples(Arrays(values), labels, names, np.ones(6, np.float32)), ("x", "y")),
    ]
    assert len({one, *others}) == 6


class Canary:
    def __reduce__(self):
        return os.mkdir, (os.environ["CANARY"],)


def put(path, arrays):
    np.savez_compressed(path, **arrays)


@pytest.fixture
def sound(tmp_path, rng):
    """(path, arrays) of a sound file."""
    p = random_case(rng)
    store(tmp_path, "test", p, losses(p), NAMES, "ab12")
    path = place(tmp_path, "test")
    with np.load(path) as file:
        return path, {name: file[name] for name in COLUMNS}


def test_pickles_are_not_opened(sound, tmp_path, monkeypatch):
    path, arrays = sound
    monkeypatch.setenv("CANARY", str(tmp_path / "canary"))
    put(path, arrays | {"labels": np.array([Canary()] * 300, object)})
    with pytest.raises(UserError, match="cannot be read"):
        read_stored(tmp_path, "test")
    with zipfile.ZipFile(path, "w") as archive:
        for name in COLUMNS:
            archive.writestr(f"{name}.npy", pickle.dumps(Canary()))
    with pytest.raises(UserError, match="cannot be read"):
        read_stored(tmp_path, "test")
    assert not (tmp_path / "canary").exists()


def test_sizes_are_checked_before_anything_is_unpacked(sound, tmp_path):
    path, arrays = sound
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(huge, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 7)})
    put(path, {name: values for name, values in arrays.items() if name != "scores"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("scores.npy", huge.getvalue() + b"\0" * 100)
    with pytest.raises(UserError, match="which it should not"):
        read_stored(tmp_path, "test")


@pytest.mark.parametrize(
    "change",
    [{"labels": np.zeros(5, np.uint32)}, {"labels": np.full(300, 7, np.uint32)}, {"scores": np.zeros(300, np.float32)},
     {"labels": np.full(300, -1)}, {"names": np.zeros(3, np.uint8)}],
    ids=["lengths", "classes", "rank", "negative", "names"],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(sound, tmp_path, change):
    path, arrays = sound
    put(path, arrays | change)
    with pytest.raises(UserError, match=r"predictions-test.npz cannot be read"):
        read_stored(tmp_path, "test")


def test_damage_is_refused_or_harmless(sound, tmp_path, rng):
    path, _ = sound
    whole, before = path.read_bytes(), read_stored(tmp_path, "test")
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(UserError, match="cannot be read"):
            read_stored(tmp_path, "test")
    refused = 0
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            after = read_stored(tmp_path, "test")
        except UserError:
            refused += 1
        else:
            np.testing.assert_array_equal(after.scores, before.scores)
    assert refused > 150


def test_nothing_stored_is_said(tmp_path):
    with pytest.raises(UserError, match="no predictions of split 'test'"):
        read_stored(tmp_path, "test")


def test_predictions_in_any_order_keep_their_names(tmp_path):
    p = Predictions(np.eye(2, dtype=np.float32), np.arange(2, dtype=np.int32), np.ones(2, np.float32), np.array([1, 0]))
    store(tmp_path, "val", p, losses(p), np.array(["a", "b"], object), "")
    assert read_stored(tmp_path, "val").names == ["b", "a"]
