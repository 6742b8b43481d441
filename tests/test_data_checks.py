"""What cannot be read is named with the reason and set aside; files stay as they are."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from kcnn import data
from kcnn.data.labels import translated
from kcnn.data.samples import Encoded, Samples, as_strings, numbered
from kcnn.errors import UserError
from kcnn.recipe import Data, Recipe


def encoded(format, size=(20, 16), **options):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8))
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def huge_png(side=30_000):
    """A valid header of a picture of side x side pixels, and almost nothing behind it."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


BAD = {
    "empty.jpg": (b"", "empty file"),
    "text.jpg": (b"this is a text file that somebody renamed\n" * 9, "text, not a picture"),
    "cut.jpg": (encoded("JPEG", (200, 200))[:3000], "truncated"),
    "cut.png": (encoded("PNG", (200, 200))[:3000], "truncated"),
    "cut.webp": (encoded("WEBP", (200, 200))[:300], "truncated"),
    "stub.jpg": (b"\xff\xd8\xff\xe0", "truncated"),
    "huge.png": (huge_png(), "30000x30000 has more than 100000000 pixels"),
    "scan.tif": (encoded("TIFF"), "TIFF"),
    "noise.png": (bytes(range(128, 256)) + b"\0\1\2\3" * 99, "not a picture"),
    "moving.webp": (encoded("WEBP", save_all=True, append_images=[Image.new("RGB", (16, 20), "red")]), "animated"),
}
GOOD = {"a.jpg": "JPEG", "b.png": "PNG", "c.gif": "GIF", "d.bmp": "BMP", "e.webp": "WEBP", "wrong_name.png": "JPEG"}


@pytest.fixture
def folder(tmp_path):
    for label in ("x", "y"):
        (tmp_path / label).mkdir()
        for name, format in GOOD.items():
            (tmp_path / label / name).write_bytes(encoded(format))
    for name, (content, _) in BAD.items():
        (tmp_path / "x" / name).write_bytes(content)
    return tmp_path


def test_bad_files_are_named_with_the_reason_and_left_alone(folder):
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    calls = []
    found = data.load(folder, Data(validation=0), 0)
    checked = data.check(found, Data(), progress=lambda done, total: calls.append((done, total)))
    reasons = {name.removeprefix("x/"): reason for name, reason in checked.set_aside}
    assert set(reasons) == set(BAD)
    for name, (_, words) in BAD.items():
        assert words in reasons[name] and "\n" not in reasons[name]
    assert checked.class_counts() == (len(GOOD), len(GOOD)) and calls[-1] == (len(found.splits["train"]),) * 2
    assert before == {path: path.read_bytes() for path in folder.rglob("*.*")}
    facts = data.facts_of(checked, Recipe())
    assert facts.input_shape == (20, 16, 3) and len(facts.set_aside) == len(BAD)
    facts.write(folder / "facts.json")
    assert data.Facts.read(folder / "facts.json") == facts


def test_a_folder_where_nothing_is_readable_is_refused(tmp_path):
    for label in ("x", "y"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.jpg").write_text("hello, hello")
    with pytest.raises(UserError, match="no picture of split 'train' can be read.*text, not a picture"):
        data.check(data.load(tmp_path, Data(validation=0), 0), Data())


def test_one_class_is_refused(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.png").write_bytes(encoded("PNG"))
    with pytest.raises(UserError, match="one class \\(cat\\); a classifier needs two"):
        data.check(data.load(tmp_path, Data(), 0), Data())
    with pytest.raises(UserError, match="one class"):
        data.check(data.load((np.zeros((3, 4, 4, 1), np.uint8), [0, 0, 0]), Data(), 0), Data())


def test_numbers_that_are_not_finite_are_set_aside():
    x = np.ones((6, 4, 4, 2), np.float32)
    x[3, 1, 1, 1] = np.nan
    checked = data.check(data.load((x, np.arange(6) % 2), Data(validation=0), 0), Data())
    assert checked.set_aside == [("index 3", "holds values that are not finite numbers")]


def test_facts_that_cannot_be_read_say_why(tmp_path):
    with pytest.raises(UserError, match="no facts at"):
        data.Facts.read(tmp_path / "facts.json")
    (tmp_path / "facts.json").write_text('{"class_names": 3}')
    with pytest.raises(UserError, match="class_names"):
        data.Facts.read(tmp_path / "facts.json")


@pytest.mark.parametrize(
    "sizes, options, frame",
    [
        ([(30, 40)] * 3, {}, (30, 40, 3)),
        ([(30, 40)] * 3, {"image_size": 64, "channels": 1}, (64, 64, 1)),
        ([(300, 400)] * 3, {}, (224, 224, 3)),
        ([(30, 40), (50, 90), (60, 70)], {}, (50, 50, 3)),
        ([(1, 1), (1, 1)], {}, (4, 4, 3)),
    ],
)
def test_the_frame_follows_the_data(sizes, options, frame):
    items = as_strings([encoded("PNG", size) for size in sizes])
    samples = Samples(Encoded(items), np.arange(len(sizes), dtype=np.int32) % 2, numbered(len(sizes)))
    found = data.DataSet({"train": samples}, ("a", "b"), False, "test")
    assert data.choose_frame(found, Data(**options)) == frame
    assert data.choose_frame(data.check(found, Data()), Data(**options)) == frame


def test_labels_by_other_names_are_translated():
    known, names = ("a", "b", "c"), ("c", "x", "a")
    np.testing.assert_array_equal(translated(np.array([2, 0, 0], np.int32), names, known), [0, 2, 2])
    columns = np.array([[0, 0, 1], [1, 0, 0.5]], np.float32)
    np.testing.assert_array_equal(translated(columns, names, known), [[1, 0, 0], [0.5, 0, 1]])
    for labels in (np.array([0, 1], np.int32), np.eye(3, dtype=np.float32)):
        with pytest.raises(UserError, match="^'x' not among a, b, c$"):
            translated(labels, names, known)
