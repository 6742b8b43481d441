"""The byte cache: encoded pictures of files in memory, read once; and one TFRecord file of them for the next time.

It helps where opening many small files is slow, as on network file systems: one file is read from end to end instead.
Pictures stay encoded, so that every value is what it would be without. All splits share one tensor and one record,
which depend on the set of files alone: another seed divides the same ones.
"""

import hashlib
import os
import tempfile
from contextlib import suppress
from dataclasses import replace
from itertools import islice

import numpy as np
import tensorflow as tf

from kcnn.data.reading import file_bytes
from kcnn.data.samples import Encoded, Files
from kcnn.disk import make_folder, tensorflow_writing
from kcnn.errors import UserError
from kcnn.memory import free_memory
from kcnn.resources import cache

MOST_SHARE = 0.5  # of the memory that is free for a process, that encoded pictures may take
TOGETHER = 256  # pictures that are for a moment in memory twice
OVERHEAD = 24  # bytes of a tensor for each of its strings


def cached(dataset, kind, progress=None, sharers=1):
    """`dataset` with the pictures of its files in memory; kind "disk" keeps them in kcnn's cache folder too.

    `progress(done, total)` is called now and then. `sharers`: processes of this machine that do the same. Raises
    `UserError` where the memory that is free is too small, or a file that was there has gone.
    """
    kept = {name: samples.images for name, samples in dataset.splits.items() if isinstance(samples.images, Files)}
    paths = sorted({path for images in kept.values() for path in images.paths})
    if not paths:
        return dataset
    _refuse_too_much(paths, sharers)
    items = _by_record(paths, progress) if kind == "disk" else _gathered(_contents(paths, progress), len(paths))
    place = {path: i for i, path in enumerate(paths)}
    splits = dict(dataset.splits)
    for name, images in kept.items():
        places = np.array([place[path] for path in images.paths], np.int64)
        splits[name] = replace(splits[name], images=Encoded(items, images.headers, places))
    return replace(dataset, splits=splits)


def _refuse_too_much(paths, sharers):
    size = sum(OVERHEAD + os.path.getsize(path) for path in paths if os.path.isfile(path))
    most = int(MOST_SHARE * free_memory() / sharers)
    if size > most:
        each = f" for each of {sharers} workers" if sharers > 1 else ""
        limit = f"{MOST_SHARE:.0%} of the free memory is {most:,}{each}"
        raise UserError(f"data.cache: the pictures need {size:,} bytes and {limit}; set data.cache = 'none'")


def _contents(paths, progress):
    for i, path in enumerate(paths):
        try:
            yield file_bytes(path)
        except OSError as error:
            raise UserError(f"{path} cannot be read any more: {error.strerror}; check the data again") from None
        if progress and (i % 256 == 255 or i + 1 == len(paths)):
            progress(i + 1, len(paths))


def _gathered(contents, count):
    """A string tensor of `count` contents. It is filled as they come: beside a list of them they would be there twice.

    None if there are not so many.
    """
    contents, done = iter(contents), 0
    with tf.device("CPU"):
        kept = tf.Variable(tf.fill([count], b""), trainable=False)
        while chunk := list(islice(contents, TOGETHER)):
            if done + len(chunk) > count:
                return None
            end = done + len(chunk)
            tf.raw_ops.ResourceStridedSliceAssign(  # kept[done:end].assign would copy all of it, each time
                ref=kept.handle, begin=[done], end=[end], strides=[1], value=tf.constant(chunk, tf.string)
            )
            done = end
        return tf.raw_ops.ReadVariableOp(resource=kept.handle, dtype=tf.string) if done == count else None


def _by_record(paths, progress):
    """The contents of `paths`, from the record that was kept of them, or else read and kept."""
    record = cache("pictures") / f"{_key(paths)}.tfrecord"
    if record.is_file():
        with suppress(tf.errors.DataLossError):
            items = _gathered((item.numpy() for item in tf.data.TFRecordDataset(str(record))), len(paths))
            if items is not None:
                return items
    make_folder(record.parent)
    with tensorflow_writing(record):
        return _gathered(_kept(record, _contents(paths, progress)), len(paths))


def _kept(record, contents):
    """Yields `contents` and writes them to the file `record`, which is whole or not there: it is, after the last."""
    descriptor, unfinished = tempfile.mkstemp(dir=record.parent, prefix=".")
    os.close(descriptor)
    try:
        with tf.io.TFRecordWriter(unfinished) as writer:
            for item in contents:
                writer.write(item)
                yield item
        os.replace(unfinished, record)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(unfinished)


def _key(paths):
    """A digest of names, sizes and times of change: other contents have another key."""
    digest = hashlib.sha256()
    for path in paths:
        known = os.stat(path) if os.path.exists(path) else None
        row = (os.path.abspath(path), known and known.st_size, known and known.st_mtime_ns)
        digest.update(repr(row).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
