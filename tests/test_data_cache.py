"""The byte cache: the same batches from memory, from one file on disk, and from the pictures' own files."""

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kcnn import data
from kcnn.data import byte_cache
from kcnn.data.pictures import EncodedPictures
from kcnn.data.samples import Encoded
from kcnn.errors import UserError
from kcnn.memory import free_memory
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


def opened(photos, kind, **settings):
    return open_data(Recipe().override({"data.source": str(photos), "data.cache": kind, **settings}))


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
    assert len(records()) == 1 and all(path.suffix == ".tfrecord" for path in records())  # one for all splits
    with monkeypatch.context() as patch:
        patch.setattr(byte_cache, "file_bytes", None)
        for seed in (0, 1, 2):
            opened(photos, "disk", **{"runtime.seed": seed})
    assert len(records()) == 1
    Image.new("RGB", (20, 20)).save(photos / "a" / "0.png")
    opened(photos, "disk")
    assert len(records()) == 2


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


def test_more_than_is_free_is_refused_and_workers_of_one_machine_share_it(photos, monkeypatch):
    size = sum(path.stat().st_size + 24 for path in photos.rglob("*.png"))
    monkeypatch.setattr(byte_cache, "free_memory", lambda: 2 * size)
    opened(photos, "memory")
    workers = {"worker": ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.2:2"]}
    for index, fits in enumerate((True, False, False)):
        task = {"cluster": workers, "task": {"type": "worker", "index": index}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(task))
        with nullcontext() if fits else pytest.raises(UserError, match="each of 2 workers; set data.cache = 'none'"):
            opened(photos, "memory")
    monkeypatch.delenv("TF_CONFIG")
    monkeypatch.setattr(byte_cache, "free_memory", lambda: 2 * size - 2)
    with pytest.raises(UserError, match=f"need {size:,} bytes and 50% of the free memory is {size - 1:,}; set"):
        opened(photos, "memory")


def test_all_splits_and_streams_share_one_tensor(photos):
    kept = opened(photos, "memory")
    (items,) = {id(samples.images.items): samples.images.items for samples in kept.splits.values()}.values()
    assert tf.is_tensor(items) and len(items) == 20
    for samples in kept.splits.values():
        some = samples.take(np.array([1, 0]))
        assert some.images.items is items and list(some.images) == [samples.images[1], samples.images[0]]
        assert EncodedPictures(some.images, (16, 16, 3), "crop", 10**6, None).items is items


def test_what_is_free_is_the_least_that_any_group_leaves(tmp_path):
    def files(**texts):
        for name, text in texts.items():
            path = tmp_path / name.replace("__", "/").replace("0", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    files(proc__meminfo="MemTotal: 900 kB\nMemAvailable: 500 kB\n", proc__self__cgroup="0::/a/b\n")
    assert free_memory(tmp_path) == 500 * 1024
    group = "sys__fs__cgroup__a"
    files(**{f"{group}__b__memory0max": "max", f"{group}__b__memory0current": "7"})
    files(**{f"{group}__memory0max": "9000", f"{group}__memory0current": "8000"})
    assert free_memory(tmp_path) == 1000
    files(**{f"{group}__memory0stat": "anon 5\ninactive_file 300\n"})
    assert free_memory(tmp_path) == 1300
    files(proc__self__cgroup="4:cpu,memory:/docker/x\n0::/\n", sys__fs__cgroup__memory__memory0limit_in_bytes="900")
    files(sys__fs__cgroup__memory__memory0usage_in_bytes="880")
    assert free_memory(tmp_path) == 20
    files(sys__fs__cgroup__memory__memory0usage_in_bytes="980")
    assert free_memory(tmp_path) == 0 < free_memory()


def test_several_processes_that_fill_the_cache_at_once_leave_one_whole_record(photos):
    words = ["-c", f"from tests.test_data_cache import opened; opened({str(photos)!r}, 'disk')"]
    children = [subprocess.Popen([sys.executable, *words], cwd=ROOT, stderr=subprocess.PIPE) for _ in range(3)]
    said = [child.communicate(timeout=120)[1] for child in children]
    assert not any(child.returncode for child in children), said
    assert len(records()) == 1 and all(path.suffix == ".tfrecord" for path in records())
    kept = [[item.numpy() for item in tf.data.TFRecordDataset(str(path))] for path in records()]
    assert kept == [[path.read_bytes() for path in sorted(photos.rglob("*.png"))]]


def test_a_reader_sees_a_whole_record_while_it_is_made_anew(photos, monkeypatch):
    opened(photos, "disk")
    (record,), whole = records(), [path.read_bytes() for path in records()]
    write = tf.io.TFRecordWriter.write

    def watched(self, item):
        assert record.read_bytes() == whole[0]
        write(self, item)

    monkeypatch.setattr(tf.io.TFRecordWriter, "write", watched)
    assert list(byte_cache._kept(record, [b"other"])) == [b"other"]
    assert record.read_bytes() != whole[0]
