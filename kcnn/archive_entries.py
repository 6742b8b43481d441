"""What an archive says that it holds, entry by entry: read without trust in names, kinds or headers.

Refused: names that are absolute, climb, carry backslashes, drives or control characters, are longer than file systems
take, or come twice (also but for case); links, devices and pipes; headers without end.
"""

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import unicodedata
import zipfile
from pathlib import PurePosixPath

from kcnn.errors import UserError

MAX_NAME, MAX_PATH = 255, 1024  # bytes
CHUNK = 1 << 20
HEADERS = 1 << 20  # bytes of a tar between the contents of two entries
COMPRESSED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}


def entries(path, most):
    """(name, is a folder, stated size, function that opens it) of each entry; links and devices are refused.

    A tar is read to its very end, `most` bytes at most, for the checksum of its compression comes last.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                kind = stat.S_IFMT(entry.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise refused(path, entry.orig_filename, "it is a link or a device")
                yield entry.orig_filename, entry.is_dir(), entry.file_size, lambda e=entry: archive.open(e)
        return
    with _opened(path) as file:
        stream = _Stream(path, file, most)
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for entry in archive:
                if not (entry.isreg() or entry.isdir()) or entry.issparse():
                    raise refused(path, entry.name, "it is a link, a device or a sparse file")
                stream.expect(entry)
                yield entry.name, entry.isdir(), entry.size, lambda e=entry: archive.extractfile(e)
        stream.drain()


def _opened(path):
    """The file `path`, decompressed by what its first bytes say."""
    with open(path, "rb") as file:
        start = file.read(8)
    return next((opener for magic, opener in COMPRESSED.items() if start.startswith(magic)), open)(path, "rb")


class _Stream:
    """The bytes of a tar, up to where the next entry must have begun: tarfile reads headers of any length whole."""

    def __init__(self, path, file, most):
        self.path, self.file, self.most = path, file, most
        self.name, self.limit = "the first", min(HEADERS, most)

    def expect(self, entry):
        """Let the content of `entry` be read, and the headers of the next one."""
        self.name, self.limit = entry.name, min(entry.offset_data + entry.size + HEADERS, self.most)

    def drain(self):
        """Read what is left, so that damage is noticed."""
        self.limit = self.most
        while self.read(CHUNK):
            pass

    def tell(self):
        return self.file.tell()

    def seek(self, place):
        return self.file.seek(min(place, self.limit))

    def read(self, size):
        """At most `size` bytes, all if negative; raises `UserError` beyond the limit."""
        left = self.limit + 1 - self.tell()
        content = self.file.read(min(size, left) if size >= 0 else left)
        if self.tell() > self.limit:
            rule = f"headers of more than {HEADERS:,} bytes are beside it, or data of more than {self.most:,} in all"
            raise refused(self.path, self.name, rule)
        return content


def checked_name(path, name):
    """The parts of an entry's name, if every one is an ordinary name."""
    parts = PurePosixPath(name.removesuffix("/")).parts
    parts = parts[1:] if parts[:1] == (".",) else parts
    if name.startswith("/") or "\\" in name or (len(name) > 1 and name[1] == ":"):
        raise refused(path, name, "it is absolute, or has a backslash or a drive")
    if ".." in name.split("/") or any(unicodedata.category(c) in ("Cc", "Cs") for c in name):
        raise refused(path, name, "it climbs out of its folder or has control characters")
    if len(os.fsencode(name)) > MAX_PATH or any(len(os.fsencode(part)) > MAX_NAME for part in parts):
        raise refused(path, name, f"its name is longer than {MAX_NAME} bytes a part or {MAX_PATH} in all")
    return parts


def refuse_clash(path, name, parts, is_folder, seen):
    """`seen`: {name without case: (name, is a folder)}; a folder may come again, nothing else may."""
    for depth in range(1, len(parts) + 1):
        part, inner = "/".join(parts[:depth]), depth < len(parts) or is_folder
        key = unicodedata.normalize("NFKC", part).casefold()
        if seen.setdefault(key, (part, inner)) != (part, inner) or (not inner and (key, "file") in seen):
            raise refused(path, name, "another entry has this name")
        if not inner:
            seen[key, "file"] = (part, inner)


def refused(path, name, rule):
    shown = name if len(name) < 80 else f"{name[:77]}..."
    return UserError(f"archive {path} is refused because of its entry {shown!r}: {rule}")
