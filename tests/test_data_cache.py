"""The byte cache: the same batches from memory, from one file on disk, and from the pictures' own files."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kcnn import data
from kcnn.data import byte_cache
from kcnn.data.samples import Encoded
from kcnn.errors import UserError
from kcnn.recipe import Augment, Recipe
from kcnn.resources import cache
from kcnn.session import open_data

ROOT = Path(__file__).parents[1]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.setenv("KCNN_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(10):
            Image.fromarray(rng.integers(0, 255, (20, 20, 3), np.uint8)).save(tmp_path / "photos" / name / f"{i}.png")
    return tmp_path / "photos"


def opened(photos, kind):
    return open_data(Recipe().override({"data.source": str(photos), "data.cache": kind}))


def first_batches(dataset):
    stream = data.batches(
        dataset.splits["train"], (16, 16, 3), 8, training=True, num_classes=2, augment=Augment(crop_area=(0.3, 1.0))
    )
    return [{name: value.numpy() for name, value in batch.items()} for batch in stream.take(3)]


def test_batches_do_not_depend_on_the_cache(photos):
    plain = opened(photos, "none")
    for kind in ("memory", "disk", "disk"):
        kept = opened(photos, kind)
        assert all(isinstance(samples.images, Encoded) for samples in kept.splits.values())
        assert kept.fingerprint == plain.fingerprint
        for a, b in zip(first_batches(plain), first_batches(kept), strict=True):
            for name in a:
                np.testing.assert_array_equal(a[name], b[name])


def records():
    return sorted(cache("pictures").glob("*"))


def test_the_record_is_read_instead_of_the_files_and_made_anew_when_they_change(photos, monkeypatch):
    opened(photos, "disk")
    assert len(records()) == 2 and all(path.suffix == ".tfrecord" for path in records())  # one a split
    with monkeypatch.context() as patch:
        patch.setattr(byte_cache, "file_bytes", None)
        opened(photos, "disk")
    Image.new("RGB", (20, 20)).save(photos / "a" / "0.png")
    opened(photos, "disk")
    assert len(records()) == 3


def test_a_damaged_record_is_made_anew(photos):
    opened(photos, "disk")
    whole = [path.read_bytes() for path in records()]
    for path, content in zip(records(), whole, strict=True):
        path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    opened(photos, "disk")
    assert [path.read_bytes() for path in records()] == whole


def test_nothing_is_left_of_a_record_that_could_not_be_written(photos, monkeypatch):
    def refuse(self, item):
        raise tf.errors.ResourceExhaustedError(None, None, "no space")

    monkeypatch.setattr(tf.io.TFRecordWriter, "write", refuse)
    with pytest.raises(UserError, match="cannot write .*no space"):
        opened(photos, "disk")
    assert records() == []


def test_more_than_memory_holds_is_refused(photos, monkeypatch):
    monkeypatch.setattr(byte_cache, "MOST_SHARE", 1e-12)
    with pytest.raises(UserError, match="set data.cache = 'none'"):
        opened(photos, "memory")


def test_several_processes_that_fill_the_cache_at_once_leave_one_whole_record_a_split(photos):
    words = ["-c", f"from tests.test_data_cache import opened; opened({str(photos)!r}, 'disk')"]
    children = [subprocess.Popen([sys.executable, *words], cwd=ROOT, stderr=subprocess.PIPE) for _ in range(3)]
    said = [child.communicate(timeout=120)[1] for child in children]
    assert not any(child.returncode for child in children), said
    assert len(records()) == 2 and all(path.suffix == ".tfrecord" for path in records())
    kept = [[item.numpy() for item in tf.data.TFRecordDataset(str(path))] for path in records()]
    assert sorted(map(len, kept)) == [3, 17] and set(sum(kept, [])) == {p.read_bytes() for p in photos.rglob("*.png")}


def test_a_reader_sees_a_whole_record_while_it_is_made_anew(photos, monkeypatch):
    opened(photos, "disk")
    (record, *_), whole = records(), [path.read_bytes() for path in records()]
    write = tf.io.TFRecordWriter.write

    def watched(self, item):
        assert record.read_bytes() == whole[0]
        write(self, item)

    monkeypatch.setattr(tf.io.TFRecordWriter, "write", watched)
    byte_cache._kept(record, [b"other"])
    assert record.read_bytes() != whole[0]
