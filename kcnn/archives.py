"""Other people's archives: unpacked entry by entry, under rules that keep everything inside one folder.

Refused as a whole, before it is used: what `archive_entries` refuses; sizes that are not what the header says; more
bytes than an archive of pictures can hold; damage, up to the checksum at the very end. Archives inside archives stay
closed.
"""

import hashlib
import logging
import lzma
import os
import shutil
import tarfile
import tempfile
import tokenize
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

from kcnn.archive_entries import CHUNK, checked_name, entries, refuse_clash, refused
from kcnn.disk import WriteError, is_locked, lock, make_folder, writing
from kcnn.errors import UserError
from kcnn.resources import cache

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_ENTRIES = 1_000_000
ALLOWED, GROWTH = 1 << 28, 50  # unpacked bytes that are always allowed; and times the archive's own size
RESERVE, BLOCK = 1 << 28, 1 << 12  # bytes of the disk that stay free; and what the least file takes of it
UNPACKING = ".unpacking-"
BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    tokenize.TokenError,
    SyntaxError,
    KeyError,
    MemoryError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)
log = logging.getLogger(__name__)


def is_archive(address):
    """Whether `address` names a file of a kind that `unpacked` opens."""
    return str(address).lower().endswith(SUFFIXES) and os.path.isfile(address)


def unpacked(path):
    """The folder with the content of the archive `path`, unpacked once into kcnn's cache.

    A single folder that holds everything is entered. Raises `UserError` naming the entry and the rule it breaks. The
    cache keeps what it has, for trainings may be reading it; whoever deletes it has archives unpacked anew.
    """
    path = Path(path)
    place = cache("archives") / _digest(path)
    if not place.is_dir():
        with _unpacking_below(place.parent) as folder:
            unpack(path, folder / "content")
            _settle(folder / "content", place)
        log.info("%s is unpacked in %s; that folder may be deleted when no training reads it", path, place)
    while len(inside := [e for e in place.iterdir() if e.name != "__MACOSX"]) == 1 and inside[0].is_dir():
        place = inside[0]
    return place


def unpack(path, folder):
    """Write the regular files of the archive `path` below the new `folder`; raises `UserError` and writes no more."""
    path, folder = Path(path), Path(folder)
    most = max(ALLOWED, GROWTH * path.stat().st_size)
    seen, total = {}, 0
    folder.mkdir()
    room = shutil.disk_usage(folder).free - RESERVE
    try:
        for name, is_folder, size, open_entry in entries(path, most):
            parts = checked_name(path, name)
            refuse_clash(path, name, parts, is_folder, seen)
            if len(seen) > MAX_ENTRIES or (total := total + size) > most:
                raise refused(path, name, f"it would unpack to more than {most:,} bytes or {MAX_ENTRIES:,} entries")
            if total + BLOCK * len(seen) > room:
                raise refused(path, name, f"the disk has no room for it and {RESERVE:,} bytes to spare; free space")
            target = folder.joinpath(*parts)
            if is_folder:
                make_folder(target)
            else:
                _write(path, name, size, open_entry, target)
    except UserError:
        raise
    except BROKEN as error:
        first = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":")
        raise UserError(f"archive {path} cannot be unpacked: it is damaged, or of another kind ({first})") from None


def read_plain_npz(path):
    """{name: array} of the .npz file `path`: nothing is unpickled, and nothing read that memory cannot hold."""
    import numpy as np

    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > (memory := os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")):
            raise UserError(f"{path} unpacks to {size:,} bytes; this machine's memory has {memory:,}")
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except FileNotFoundError:
        raise UserError(f"no such file: {path}") from None
    except BROKEN as error:
        raise UserError(f"{path} cannot be read as .npz without pickle: {error}") from None


def _write(path, name, size, open_entry, target):
    make_folder(target.parent)
    with writing(target):
        target.touch(exist_ok=False)
    written = 0
    with open_entry() as source, open(target, "wb") as file:
        while part := source.read(CHUNK):
            written += len(part)
            if written > size:
                break
            with writing(target):
                file.write(part)
    if written != size:
        raise refused(path, name, f"its header says {size:,} bytes, which is not so")


@contextmanager
def _unpacking_below(cached):
    """A new folder in the folder `cached`, removed after the block; those that killed processes left go first."""
    make_folder(cached)
    for left in cached.glob(f"{UNPACKING}*"):
        if (left / "lock").exists() and not is_locked(left / "lock"):
            shutil.rmtree(left, ignore_errors=True)
    with writing(cached):
        folder = Path(tempfile.mkdtemp(dir=cached, prefix=UNPACKING))
    try:
        with lock(folder / "lock"):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _settle(inside, place):
    """Move the finished folder to its place, unless another process was there first."""
    try:
        inside.rename(place)
    except OSError as error:
        if not place.is_dir():
            raise WriteError(place, error) from error
        shutil.rmtree(inside)


def _digest(path):
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]
    except OSError as error:
        raise UserError(f"archive {path} cannot be read: {error.strerror}") from None
