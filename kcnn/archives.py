"""Other people's archives: unpacked entry by entry, under rules that keep everything inside one folder.

Refused as a whole, before it is used: names that are absolute, climb, carry backslashes, drives or control characters,
are longer than file systems take, or come twice (also but for case); links, devices and pipes; sizes that are not what
the header says; more bytes than an archive of pictures can hold. Archives inside archives stay closed.
"""

import hashlib
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import tokenize
import unicodedata
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from kcnn.disk import writing
from kcnn.errors import UserError
from kcnn.resources import cache

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_ENTRIES = 1_000_000
MAX_NAME, MAX_PATH = 255, 1024  # bytes
ALLOWED, GROWTH = 1 << 28, 50  # unpacked bytes that are always allowed; and times the archive's own size
CHUNK = 1 << 20
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


def is_archive(address):
    """Whether `address` names a file of a kind that `unpacked` opens."""
    return str(address).lower().endswith(SUFFIXES) and os.path.isfile(address)


def unpacked(path):
    """The folder with the content of the archive `path`, unpacked once into kcnn's cache.

    A single folder that holds everything is entered. Raises `UserError` naming the entry and the rule it breaks.
    """
    path = Path(path)
    place = cache("archives") / _digest(path)
    if not place.is_dir():
        with writing(place):
            place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".unpacking-") as folder:
            inside = Path(folder, "content")
            unpack(path, inside)
            _settle(inside, place)
    while len(entries := [e for e in place.iterdir() if e.name != "__MACOSX"]) == 1 and entries[0].is_dir():
        place = entries[0]
    return place


def unpack(path, folder):
    """Write the regular files of the archive `path` below the new `folder`; raises `UserError` and writes no more."""
    path, folder = Path(path), Path(folder)
    most = max(ALLOWED, GROWTH * path.stat().st_size)
    seen, total = {}, 0
    folder.mkdir()
    try:
        for name, is_folder, size, open_entry in _entries(path):
            parts = _checked_name(path, name)
            _refuse_clash(path, name, parts, is_folder, seen)
            if len(seen) > MAX_ENTRIES or (total := total + size) > most:
                raise _refused(path, name, f"it would unpack to more than {most:,} bytes or {MAX_ENTRIES:,} entries")
            target = folder.joinpath(*parts)
            if is_folder:
                target.mkdir(parents=True, exist_ok=True)
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


def _entries(path):
    """(name, is a folder, stated size, function that opens it) of each entry; links and devices are refused."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                kind = stat.S_IFMT(entry.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise _refused(path, entry.orig_filename, "it is a link or a device")
                yield entry.orig_filename, entry.is_dir(), entry.file_size, lambda e=entry: archive.open(e)
        return
    with tarfile.open(path) as archive:
        for entry in archive:
            if not (entry.isreg() or entry.isdir()) or entry.issparse():
                raise _refused(path, entry.name, "it is a link, a device or a sparse file")
            yield entry.name, entry.isdir(), entry.size, lambda e=entry: archive.extractfile(e)


def _checked_name(path, name):
    """The parts of an entry's name, if every one is an ordinary name."""
    parts = PurePosixPath(name.removesuffix("/")).parts
    parts = parts[1:] if parts[:1] == (".",) else parts
    if name.startswith("/") or "\\" in name or (len(name) > 1 and name[1] == ":"):
        raise _refused(path, name, "it is absolute, or has a backslash or a drive")
    if ".." in name.split("/") or any(unicodedata.category(c) in ("Cc", "Cs") for c in name):
        raise _refused(path, name, "it climbs out of its folder or has control characters")
    if len(os.fsencode(name)) > MAX_PATH or any(len(os.fsencode(part)) > MAX_NAME for part in parts):
        raise _refused(path, name, f"its name is longer than {MAX_NAME} bytes a part or {MAX_PATH} in all")
    return parts


def _refuse_clash(path, name, parts, is_folder, seen):
    """`seen`: {name without case: (name, is a folder)}; a folder may come again, nothing else may."""
    for depth in range(1, len(parts) + 1):
        part, inner = "/".join(parts[:depth]), depth < len(parts) or is_folder
        key = unicodedata.normalize("NFKC", part).casefold()
        if seen.setdefault(key, (part, inner)) != (part, inner) or (not inner and (key, "file") in seen):
            raise _refused(path, name, "another entry has this name")
        if not inner:
            seen[key, "file"] = (part, inner)


def _write(path, name, size, open_entry, target):
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
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
        raise _refused(path, name, f"its header says {size:,} bytes, which is not so")


def _refused(path, name, rule):
    shown = name if len(name) < 80 else f"{name[:77]}..."
    return UserError(f"archive {path} is refused because of its entry {shown!r}: {rule}")


def _settle(inside, place):
    """Move the finished folder to its place, unless another process was there first."""
    try:
        inside.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        shutil.rmtree(inside)


def _digest(path):
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]
    except OSError as error:
        raise UserError(f"archive {path} cannot be read: {error.strerror}") from None
