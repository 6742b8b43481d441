"""The byte cache: encoded pictures of files in memory, read once; and one TFRecord file of them for the next time.

It helps where opening many small files is slow, as on network file systems: one file is read from end to end instead.
Pictures stay encoded, so that every value is what it would be without.
"""

import hashlib
import os
import tempfile
from contextlib import suppress
from dataclasses import replace

import tensorflow as tf

from kcnn.data.reading import file_bytes
from kcnn.data.samples import Encoded, Files, as_strings
from kcnn.disk import make_folder, tensorflow_writing
from kcnn.errors import UserError
from kcnn.resources import cache

MOST_SHARE = 0.5  # of this machine's memory that encoded pictures may take


def cached(dataset, kind, progress=None):
    """`dataset` with the pictures of its files in memory; kind "disk" keeps them in kcnn's cache folder too.

    `progress(done, total)` is called now and then. Raises `UserError` where memory is too small, or a file that was
    there has gone.
    """
    kept = {name: samples for name, samples in dataset.splits.items() if isinstance(samples.images, Files)}
    total, done, splits = sum(map(len, kept.values())), 0, dict(dataset.splits)
    _refuse_too_much([path for samples in kept.values() for path in samples.images.paths])
    for name, samples in kept.items():
        tell = progress and (lambda n, before=done: progress(before + n, total))
        paths = list(samples.images.paths)
        items = _by_record(paths, tell) if kind == "disk" else list(_contents(paths, tell))
        splits[name] = replace(samples, images=Encoded(as_strings(items), samples.images.headers))
        done += len(paths)
    return replace(dataset, splits=splits)


def _refuse_too_much(paths):
    size = sum(os.path.getsize(path) for path in paths if os.path.isfile(path))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > MOST_SHARE * memory:
        raise UserError(f"data.cache: the pictures have {size:,} bytes, memory {memory:,}; set data.cache = 'none'")


def _contents(paths, progress):
    for i, path in enumerate(paths):
        try:
            yield file_bytes(path)
        except OSError as error:
            raise UserError(f"{path} cannot be read any more: {error.strerror}; check the data again") from None
        if progress and (i % 256 == 255 or i + 1 == len(paths)):
            progress(i + 1)


def _by_record(paths, progress):
    """The contents of `paths`, from the record that was kept of them, or else read and kept."""
    record = cache("pictures") / f"{_key(paths)}.tfrecord"
    if record.is_file():
        try:
            items = [item.numpy() for item in tf.data.TFRecordDataset(str(record))]
        except tf.errors.DataLossError:
            items = []
        if len(items) == len(paths):
            return items
    make_folder(record.parent)
    with tensorflow_writing(record):
        return _kept(record, _contents(paths, progress))


def _kept(record, contents):
    """The list of `contents`, written to the file `record` as it is read; the file is whole or not there."""
    descriptor, unfinished = tempfile.mkstemp(dir=record.parent, prefix=".")
    os.close(descriptor)
    items = []
    try:
        with tf.io.TFRecordWriter(unfinished) as writer:
            for item in contents:
                writer.write(item)
                items.append(item)
        os.replace(unfinished, record)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(unfinished)
    return items


def _key(paths):
    """A digest of names, sizes and times of change: other contents have another key."""
    digest = hashlib.sha256()
    for path in paths:
        known = os.stat(path) if os.path.exists(path) else None
        row = (os.path.abspath(path), known and known.st_size, known and known.st_mtime_ns)
        digest.update(repr(row).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
