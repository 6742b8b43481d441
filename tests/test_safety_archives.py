"""Hostile archives: each is refused with its rule, and nothing outside the one folder is touched."""

import bz2
import gzip
import io
import json
import lzma
import os
import signal
import struct
import subprocess
import sys
import tarfile
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import kcnn
from kcnn import archives

# Unpacks every archive of a folder while an audit hook notes each file system change, and prints what came of it.
CHILD = """
import json, os, sys
from pathlib import Path
from kcnn import archives
from kcnn.errors import UserError
source, root = map(Path, sys.argv[1:])
touched = []
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
def hook(event, args):
    if event == "open" and args[2] & WRITES or event in ("os.mkdir", "os.rename", "os.symlink", "os.link", "os.remove",
            "os.rmdir", "os.chmod", "os.chown", "os.mkfifo", "os.truncate", "os.utime", "shutil.move"):
        touched.extend(str(a) for a in args[: 2 if event in ("os.rename", "os.link", "os.symlink") else 1])
found = {}
sys.addaudithook(hook)
for number, path in enumerate(sorted(source.iterdir())):
    try:
        archives.unpack(path, root / str(number))
        found[path.name.partition(".")[0]] = "unpacked"
    except UserError as error:
        found[path.name.partition(".")[0]] = str(error)
print(json.dumps([found, touched]))
"""


def zipped(*entries, **changes):
    """A zip of (name, bytes) or (ZipInfo, bytes)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return file.getvalue()


def tarred(*entries):
    """A tar of (name or TarInfo, bytes), or TarInfo alone."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for entry in entries:
            name, content = (entry, b"") if isinstance(entry, tarfile.TarInfo) else entry
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_link(name, target):
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info, target


def lying_zip():
    """One whose central directory states fewer bytes than are there."""
    data = bytearray(zipped(("a.bin", b"x" * 5000)))
    place = data.rindex(b"PK\x01\x02")
    struct.pack_into("<L", data, place + 24, 10)
    return bytes(data)


def bomb():
    return zipped(("zeros.bin", bytes(archives.ALLOWED + 1)))


def long_header(kind=tarfile.XHDTYPE):
    """A tar whose entry has a header of 8 MiB, which compresses to next to nothing."""
    return tarred((special("long", kind), b" " * (8 << 20)), ("a.png", b"x"))


def negative_header():
    """A tar whose entry states a header of -512 bytes, which Python's own reader takes for "all there is"."""
    block = bytearray(special("long", tarfile.XHDTYPE).tobuf(tarfile.GNU_FORMAT)[:512])
    block[124:136], block[148:156] = (-512).to_bytes(12, "big", signed=True), b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(8 << 20)


def long_sparse_map():
    """A tar with a map of holes of 8 MiB, one number a line, before the content of its entry."""
    info = tarfile.TarInfo("a.png")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    content = b"4000000\n" + b"0\n" * (4 << 20)
    info.size = len(content)
    return info.tobuf(tarfile.PAX_FORMAT) + content


def wrong_checksum(compress, place):
    """A compressed tar with one bit of its trailing checksum wrong."""
    data = bytearray(compress(tarred(("a.png", os.urandom(3000)))))
    data[place] ^= 1
    return bytes(data)


HOSTILE = {
    "traversal.zip": (lambda: zipped(("../evil", b"x")), "climbs out"),
    "inner traversal.zip": (lambda: zipped(("a/../../evil", b"x")), "climbs out"),
    "traversal.tar": (lambda: tarred(("../evil", b"x")), "climbs out"),
    "absolute.zip": (lambda: zipped(("/tmp/evil", b"x")), "absolute"),
    "absolute.tar": (lambda: tarred(("/tmp/evil", b"x")), "absolute"),
    "backslash.zip": (lambda: zipped(("a\\..\\evil", b"x")), "backslash"),
    "drive.zip": (lambda: zipped(("C:evil", b"x")), "drive"),
    "control.zip": (lambda: zipped(("a\x07b", b"x")), "control characters"),
    "symlink.zip": (lambda: zipped(zip_link("a", "/etc"), ("a/evil", b"x")), "link"),
    "symlink.tar": (lambda: tarred(special("a", tarfile.SYMTYPE, "/etc"), ("a/evil", b"x")), "link"),
    "hard link.tar": (lambda: tarred(special("a", tarfile.LNKTYPE, "/etc/passwd")), "link"),
    "device.tar": (lambda: tarred(special("a", tarfile.CHRTYPE)), "device"),
    "pipe.tar": (lambda: tarred(special("a", tarfile.FIFOTYPE)), "device"),
    "twice.tar": (lambda: tarred(("a", b"1"), ("a", b"2")), "another entry has this name"),
    "case.zip": (lambda: zipped(("Cat/a.png", b"1"), ("cat/a.png", b"2")), "another entry has this name"),
    "unicode.zip": (lambda: zipped(("ﬁ.png", b"1"), ("fi.png", b"2")), "another entry has this name"),
    "file as folder.tar": (lambda: tarred(("a", b"1"), ("a/b", b"2")), "another entry has this name"),
    "long name.zip": (lambda: zipped(("n" * 300, b"x")), "longer than"),
    "deep.zip": (lambda: zipped(("d/" * 600 + "x", b"x")), "longer than"),
    "bomb.zip": (bomb, "more than"),
    "wrong size.zip": (lying_zip, ""),
    "cut.zip": (lambda: zipped(("a.png", os.urandom(3000)))[:-40], "cannot be unpacked"),
    "cut.tar": (lambda: tarred(("a.png", os.urandom(30000)))[:9000], "cannot be unpacked"),
    "checksum gz.tar.gz": (lambda: wrong_checksum(gzip.compress, -6), "CRC check failed"),
    "checksum bz2.tar.bz2": (lambda: wrong_checksum(bz2.compress, -3), "cannot be unpacked"),
    "checksum xz.tar.xz": (lambda: wrong_checksum(lzma.compress, -30), "cannot be unpacked"),
    "trailing data gz.tar.gz": (lambda: gzip.compress(tarred(("a", b"x"))) + b"garbage", "Not a gzipped file"),
    "trailing bomb.tar.gz": (lambda: gzip.compress(tarred(("a", b"x")) + bytes(archives.ALLOWED)), "data of more than"),
    "long header.tar.gz": (lambda: gzip.compress(long_header()), "headers of more than"),
    "negative header.tar.gz": (lambda: gzip.compress(negative_header()), "headers of more than"),
    "long name header.tar.gz": (lambda: gzip.compress(long_header(tarfile.GNUTYPE_LONGNAME)), "headers of more than"),
    "long sparse map.tar.gz": (lambda: gzip.compress(long_sparse_map()), "headers of more than"),
    "no archive.zip": (lambda: b"text", "cannot be unpacked"),
}
HARMLESS = {
    "nested bomb.zip": lambda: zipped(("inner.zip", bomb())),
    "trailing data.zip": lambda: zipped(("a.png", b"x")) + b"\0" * 100,
    "trailing data.tar": lambda: tarred(("a.png", b"x")) + b"garbage" * 1000,
    "folders.tar": lambda: tarred(special("./a", tarfile.DIRTYPE), special("a", tarfile.DIRTYPE), ("a/b", b"x")),
}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """({archive: what came of it}, paths touched, root)."""
    base = tmp_path_factory.mktemp("hostile")
    source, root = base / "source", base / "a" / "b" / "root"
    source.mkdir()
    root.mkdir(parents=True)
    for name, make in {**{name: make for name, (make, _) in HOSTILE.items()}, **HARMLESS}.items():
        (source / name).write_bytes(make())
    words = [sys.executable, "-c", CHILD, str(source), str(root)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=base)
    assert done.returncode == 0, done.stderr
    found, touched = json.loads(done.stdout.splitlines()[-1])
    return found, touched, root


def stem(name):
    return name.partition(".")[0]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_are_refused_by_their_rule(outcome, name):
    told = outcome[0][stem(name)]
    assert told.startswith("archive ") and HOSTILE[name][1] in told and "\n" not in told


@pytest.mark.parametrize("name", HARMLESS)
def test_odd_archives_do_no_harm(outcome, name):
    assert outcome[0][stem(name)] == "unpacked"


def test_nothing_outside_the_folder_is_touched(outcome):
    _, touched, root = outcome
    written = [path for path in touched if not path.endswith(".pyc") and "__pycache__" not in path]
    assert len(written) > 10
    assert all(os.path.realpath(path).startswith(f"{root}{os.sep}") for path in written), written


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_of_pictures_is_data(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("KCNN_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(rng.integers(0, 255, (12, 12, 3), np.uint8)).save(tmp_path / "photos" / name / f"{i}.png")
    path = tmp_path / f"pets.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted((tmp_path / "photos").rglob("*.png")):
                archive.write(file, file.relative_to(tmp_path))
    else:
        with tarfile.open(path, "w:gz") as archive:
            archive.add(tmp_path / "photos", "photos")
    for _ in range(2):
        found = kcnn.check_data(path)
        assert found.class_names == ("a", "b") and sum(map(len, found.splits.values())) == 8 and found.name == "pets"
    assert len(list((tmp_path / "cache" / "archives").iterdir())) == 1


def test_an_archive_may_not_fill_the_disk(tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(zipped(("a.png", bytes(10)), ("b.png", bytes(5000))))
    free = archives.RESERVE + 10_000
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    with pytest.raises(kcnn.UserError, match="entry 'b.png': the disk has no room for it and .* to spare; free space"):
        archives.unpack(tmp_path / "a.zip", tmp_path / "out")
    free += 20_000
    archives.unpack(tmp_path / "a.zip", tmp_path / "out again")
    assert (tmp_path / "out again" / "b.png").stat().st_size == 5000


def test_what_a_kill_left_in_the_cache_goes_and_what_lives_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("KCNN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a.zip").write_bytes(zipped(("a.png", b"x")))
    holds = (
        "import sys, time; from pathlib import Path; from kcnn import archives\n"
        "with archives._unpacking_below(Path(sys.argv[1])) as folder:\n"
        "    print(folder, flush=True); time.sleep(60)"
    )
    words = [sys.executable, "-c", holds, str(tmp_path / "cache" / "archives")]
    children = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    killed, alive = (child.stdout.readline().strip() for child in children)
    try:
        children[0].send_signal(signal.SIGKILL)
        children[0].wait()
        assert os.path.isdir(killed)
        place = archives.unpacked(tmp_path / "a.zip")
        assert not os.path.exists(killed) and os.path.isdir(alive)
        assert sorted(place.parent.iterdir()) == sorted([place, place.parent / os.path.basename(alive)])
    finally:
        for child in children:
            child.kill()
            child.communicate()


def test_npz_files_are_neither_unpickled_nor_believed(tmp_path):
    np.savez(tmp_path / "objects.npz", x=np.array([{"a": 1}], object), y=np.zeros(1))
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (100000000, 1000, 1000), }"
    npy = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n" + bytes(100)
    (tmp_path / "liar.npz").write_bytes(zipped(("x.npy", npy), ("y.npy", npy)))
    for name in ("objects.npz", "liar.npz"):
        with pytest.raises(kcnn.UserError, match="cannot be read as .npz without pickle"):
            kcnn.check_data(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "big.npz", "w") as archive:
        archive.writestr("x.npy", b"x")
        archive.filelist[0].file_size = 1 << 50
    with pytest.raises(kcnn.UserError, match="memory has"):
        kcnn.check_data(tmp_path / "big.npz")


def test_damaged_headers_inside_an_npz_are_one_line(tmp_path):
    file = io.BytesIO()
    np.save(file, np.zeros((4, 4), np.uint8))
    whole, draw = file.getvalue(), np.random.default_rng(0)
    for number in range(200):
        damaged = bytearray(whole)
        for place in draw.integers(0, 80, 3):
            damaged[place] = draw.integers(256)
        path = tmp_path / f"{number}.npz"
        path.write_bytes(zipped(("x.npy", bytes(damaged)), ("y.npy", whole)))
        try:
            archives.read_plain_npz(path)
        except kcnn.UserError as error:
            assert "cannot be read as .npz" in str(error)


def test_damaged_lzma_archives_are_one_line(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.bin", bytes(range(256)) * 40)
    whole, draw, refused = file.getvalue(), np.random.default_rng(0), 0
    for number in range(60):
        damaged = bytearray(whole)
        damaged[draw.integers(45, len(whole) - 120)] ^= 255
        (tmp_path / f"{number}.zip").write_bytes(damaged)
        try:
            archives.unpack(tmp_path / f"{number}.zip", tmp_path / str(number))
        except kcnn.UserError:
            refused += 1
    assert refused > 30
