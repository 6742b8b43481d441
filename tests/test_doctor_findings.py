"""Every finding: provoked once, silent where there is nothing, and written where it was asked for and nowhere else."""

import csv
import hashlib
import json
import sys

import numpy as np
import pytest
from PIL import Image

import kcnn
from kcnn.data.quarantine import read
from kcnn.data.reading import MAX_BYTES
from kcnn.doctor import FINDINGS, Diagnosis, figures, text
from kcnn.doctor.masks import KINDS
from kcnn.errors import UserError
from tests.spoiled import encode, huge, picture, scene
from tests.test_cli import kcnn as command
from tests.test_cli import refused


def exif(turn):
    found = Image.Exif()
    found[0x0112] = turn
    return found.tobytes()


def png(seed, size=(128, 96)):
    return encode(scene(seed, size), "PNG")


# file: (content, label, split, group, findings that must name it)
ODD = {
    "text.jpg": (b"words, words, words\n" * 9, "ant", "train", "", {"unreadable"}),
    "cut.jpg": (encode(scene(1), "JPEG")[:900], "ant", "train", "", {"truncated"}),
    "huge.png": (huge("PNG"), "ant", "train", "", {"too_large"}),
    "blank.png": (encode(Image.new("RGB", (90, 90), "navy"), "PNG"), "ant", "train", "", {"blank"}),
    "tiny.png": (png(2, (7, 9)), "ant", "train", "", {"tiny"}),
    "small.png": (png(3, (40, 30)), "ant", "train", "", {"below_frame"}),
    "long.png": (png(4, (400, 96)), "ant", "train", "", {"long"}),
    "really_jpeg.png": (encode(scene(5), "JPEG"), "ant", "train", "", {"wrong_extension"}),
    "turned.jpg": (encode(scene(6), "JPEG", exif=exif(6)), "ant", "train", "", {"turned"}),
    "turned.webp": (encode(scene(7), "WEBP", exif=exif(3)), "ant", "train", "", {"turned_unread"}),
    "cmyk.jpg": (encode(scene(8).convert("CMYK"), "JPEG"), "ant", "train", "", {"cmyk"}),
    "deep.png": (encode(picture((99, 99), "I;16", 9), "PNG"), "ant", "train", "", {"sixteen_bit", "mixed_colour"}),
    "palette.png": (encode(scene(10).convert("P"), "PNG"), "ant", "train", "", {"palette"}),
    "clear.png": (encode(picture((99, 99), "RGBA", 11), "PNG"), "ant", "train", "", {"transparency"}),
    "moving.gif": (encode(scene(12), "GIF", save_all=True, append_images=[scene(9)]), "ant", "train", "", {"animated"}),
    "same_1.png": (png(14), "ant", "train", "", {"exact_duplicates"}),
    "same_2.png": (png(14), "ant", "train", "", {"exact_duplicates"}),
    "near_1.png": (png(15), "ant", "train", "", {"near_duplicates", "conflicting_duplicates"}),
    "near_2.jpg": (encode(scene(15), "JPEG"), "bee", "train", "", {"near_duplicates", "conflicting_duplicates"}),
    "leak_1.png": (png(16), "ant", "train", "", {"exact_across_splits"}),
    "leak_2.png": (png(16), "ant", "test", "", {"exact_across_splits"}),
    "leak_3.png": (png(17), "ant", "train", "", {"near_across_splits"}),
    "leak_4.jpg": (encode(scene(17), "JPEG", quality=60), "ant", "val", "", {"near_across_splits"}),
    "leak_5.png": (png(24), "ant", "val", "", {"exact_across_splits", "listed_twice"}),
    "zoo_1.png": (png(18), "ant", "train", "zoo", {"torn_groups"}),
    "zoo_2.png": (png(19), "ant", "test", "zoo", {"torn_groups"}),
    "zoo_3.png": (png(20), "ant", "train", "park", set()),
    "bee.png": (png(21), "bee", "train", "park", set()),
    "bee_2.png": (png(22), "bee", "val", "", set()),
    "cow.png": (png(23), "cow", "test", "", set()),
    "dog.png": (b"", "dog", "train", "", {"unreadable"}),
}  # fmt: skip
SAID = {  # findings about classes
    "class_not_in_training": "cow: only in test",
    "class_not_in_split": "bee: not in test (2 in train)",
    "empty_class": "dog: none of its pictures can be used",
    "unbalanced": "9.5 to 1: ant 19, bee 2 in train",
}
OPTIONS = {"data.split_column": "part", "data.group_column": "place", "data.image_size": 96}


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """The path of a CSV file of all the ODD pictures."""
    folder = tmp_path_factory.mktemp("odd")
    rows = [("image", "label", "part", "place")]
    for name, (content, label, split, group, _) in ODD.items():
        (folder / name).write_bytes(content)
        rows.append((name, label, split, group))
    rows.append(("leak_5.png", "ant", "test", ""))
    with open(folder / "odd.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "odd.csv"


@pytest.fixture(scope="module")
def found(odd):
    return kcnn.diagnose_data(odd, **OPTIONS)


def test_every_finding_is_provoked_and_names_its_pictures(found):
    assert len(FINDINGS) >= 25
    assert {finding.kind for finding in found.findings} == set(FINDINGS) - {"refused", *KINDS}  # of masks
    named = {name: set() for name in ODD}
    for finding in found.findings:
        for case in finding.cases:
            for shown in case.pictures:
                named[shown.name].add(finding.kind)
    assert named == {name: kinds for name, (*_, kinds) in ODD.items()}
    for kind, words in SAID.items():
        assert any(words in case.detail for case in found.of(kind)), (kind, found.of(kind))
    assert found.is_severe and [f.severity for f in found.findings] == sorted(
        (f.severity for f in found.findings), key=["severe", "warning", "hint"].index
    )


def test_what_training_would_refuse_is_a_finding(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.png").write_bytes(png(1))
    (tmp_path / "none").mkdir()
    found = kcnn.diagnose_data(tmp_path)
    assert "one class (one)" in found.of("refused")[0].detail and found.is_severe
    assert "none: its folder has no picture" in found.of("empty_class")[0].detail


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    for k, label in enumerate(("x", "y")):
        (folder / label).mkdir()
        for i in range(10):
            (folder / label / f"{i}.png").write_bytes(png(100 * k + i))
    return folder


def test_sound_data_has_no_finding(sound):
    found = kcnn.diagnose_data(sound)
    assert found.findings == () and found.quarantine == () and not found.is_severe
    assert found.pictures == found.readable == 20 and set(found.splits) == {"train", "val"}
    assert {h.title for h in found.histograms} == {"Shorter side", "Aspect", "Brightness"}
    assert all(sum(h.counts) == 20 for h in found.histograms)


@pytest.mark.parametrize("source", ["builtin:digits", "signals"])
def test_data_without_files_is_examined_too(source):
    if source == "signals":
        values = np.random.default_rng(0).normal(size=(20, 30, 2)).astype(np.float32)
        values[4], values[7, 0, 0] = values[3], np.nan
        source = (values, np.arange(20) % 2)
        found = kcnn.diagnose_data(source, validation=0.0)
        assert {f.kind for f in found.findings} == {"unreadable", "exact_duplicates", "conflicting_duplicates"}
    else:
        found = kcnn.diagnose_data(source)
        assert found.pictures == 1797 and not found.of("near_duplicates") and not found.of("blank")


def test_the_record_is_json_the_same_every_time_and_text_says_it(odd, found):
    again = kcnn.diagnose_data(odd, **OPTIONS)
    assert again.model_dump_json() == found.model_dump_json()
    assert Diagnosis.model_validate_json(found.model_dump_json()) == found
    words = "\n".join(text(found))
    for finding in found.findings:
        assert finding.title in words and finding.mend in words
    for word in ("near_1.png (ant) = near_2.jpg (bee)", "leak_1.png (train)", "set aside: huge.png: 30000x30000"):
        assert word in words, words


def digests(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_out_writes_page_record_and_list_and_touches_nothing_else(capsys, odd, found, tmp_path):
    before, out = digests(odd.parent), tmp_path / "out"
    words = [f"--set={key}={value}" for key, value in OPTIONS.items()]
    status, said, _ = command(capsys, "check", odd, "--out", out, *words)
    assert status == 0 and "check.md" in said
    assert digests(odd.parent) == before
    assert Diagnosis.model_validate_json((out / "check.json").read_bytes()) == found
    page = (out / "check.md").read_text("utf-8")
    drawn = {path.name for path in out.glob("*.png")}
    assert {"sizes.png", "classes.png", "near_across_splits.png", "turned.png"} <= drawn
    assert said.count(str(out / "quarantine.csv")) > 1 and f"data.quarantine={out / 'quarantine.csv'}`" in page
    assert "--out" not in said + page, "which was given"
    assert all(f"({name})" in page for name in drawn) and page.count("![") == len(drawn)
    for name in drawn:
        with Image.open(out / name) as image:
            image.load()
            assert min(image.size) > 100
    assert read(out / "quarantine.csv") == dict(found.quarantine)


def test_what_is_not_its_own_is_not_written_over(sound, tmp_path):
    out = tmp_path / "out"
    for _ in range(2):
        kcnn.diagnose_data(sound, out=out)  # its own folder is written again
    with open(out / "quarantine.csv", "a") as file:
        file.write("mine.png,I say so\n")
    with pytest.raises(UserError, match="was edited there"):
        kcnn.diagnose_data(sound, out=out)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(UserError, match="holds other files"):
        kcnn.diagnose_data(sound, out=tmp_path / "thesis")
    (tmp_path / "thesis" / "check.json").write_text('{"name": "my own check", "findings": []}')
    with pytest.raises(UserError, match="holds other files"):
        kcnn.diagnose_data(sound, out=tmp_path / "thesis")
    (out / "quarantine.csv").unlink()
    record = json.loads((out / "check.json").read_text())
    (out / "check.json").write_text(json.dumps({k: v for k, v in record.items() if k != "written_by"}))
    with pytest.raises(UserError, match="holds other files"):
        kcnn.diagnose_data(sound, out=out)
    (out / "check.json").write_text(json.dumps(record))
    (out / "chapter.txt").write_text("years of work")
    with pytest.raises(UserError, match=r"such as chapter\.txt"):
        kcnn.diagnose_data(sound, out=out)
    with pytest.raises(UserError, match="is a file"):
        kcnn.diagnose_data(sound, out=tmp_path / "thesis" / "chapter.txt")


def test_the_status_says_severe_only_if_asked(capsys, odd):
    assert command(capsys, "check", odd, "--set=split_column=part")[0] == 0
    status, said, _ = command(capsys, "check", odd, "--set=split_column=part", "--strict", "--json")
    assert status == 1 and json.loads(said)["findings"][0]["severity"] == "severe"


def test_mistakes_are_one_line(capsys, odd):
    assert "given twice" in refused(capsys, "check", odd, "--set", "source=elsewhere")
    assert "unknown column 'plaec'" in refused(capsys, "check", odd, "--set", "group_column=plaec")
    assert "only a CSV file has columns" in refused(capsys, "check", "builtin:digits", "--set", "group_column=x")
    assert "no such file" in refused(capsys, "check", odd, "--set", "quarantine=nowhere.csv")
    assert "needs a column 'name'" in refused(capsys, "check", odd, "--set", f"quarantine={odd}")


def test_names_that_are_no_unicode_are_listed_and_left_out(tmp_path):
    for k, label in enumerate(("x", "y")):
        (tmp_path / "data" / label).mkdir(parents=True)
        for i in range(4):
            (tmp_path / "data" / label / f"{i}.png").write_bytes(png(10 * k + i))
    with open(bytes(tmp_path / "data" / "x") + b'/\xff, "odd".png', "wb") as file:
        file.write(b"nothing")
    found = kcnn.diagnose_data(tmp_path / "data", out=tmp_path / "out")
    assert [name for name, _ in found.quarantine] == ['x/\\udcff, "odd".png']
    kept = kcnn.check_data(tmp_path / "data", quarantine=str(tmp_path / "out" / "quarantine.csv"))
    assert not kept.set_aside and sum(map(len, kept.splits.values())) == 8


@pytest.mark.parametrize("reader", ["near", "exact"])
def test_a_file_that_vanishes_while_pictures_are_compared_is_one_finding(tmp_path, monkeypatch, reader):
    module = sys.modules["kcnn.doctor.diagnose"]
    copies = {"a.png": png(1), "b.bmp": encode(scene(1, (128, 96)), "BMP")}
    if reader == "near":
        copies["b.bmp"] = encode(scene(1, (128, 96)), "JPEG")
    for k, label in enumerate(("x", "y")):
        (tmp_path / "data" / label).mkdir(parents=True)
        for i in range(3):
            (tmp_path / "data" / label / f"{i}.png").write_bytes(png(10 + 10 * k + i))
    for name, content in copies.items():
        (tmp_path / "data" / "x" / name).write_bytes(content)
    look = module.survey

    def then_vanish(*args):
        seen = look(*args)
        (tmp_path / "data" / "x" / "a.png").unlink()
        return seen

    monkeypatch.setattr(module, "survey", then_vanish)
    found = kcnn.diagnose_data(tmp_path / "data", out=tmp_path / "out", validation=0.0)
    assert [(case.pictures[0].name, case.detail) for case in found.of("unreadable")] == [("x/a.png", "no such file")]
    assert found.readable == 7 and not found.of("near_duplicates") and not found.of("exact_duplicates")


def test_a_file_of_more_bytes_than_any_picture_is_not_read(tmp_path):
    for label in ("x", "y"):
        (tmp_path / label).mkdir()
        for i in range(2):
            (tmp_path / label / f"{i}.png").write_bytes(png(ord(label) + 10 * i))
    with open(tmp_path / "x" / "0.png", "ab") as file:
        file.truncate(MAX_BYTES + 1)  # of holes
    found, checked = kcnn.diagnose_data(tmp_path, validation=0.0), kcnn.check_data(tmp_path, validation=0.0)
    (case,) = found.of("unreadable")
    assert checked.set_aside == [("x/0.png", case.detail)] and "more than 1073741824 bytes" in case.detail


def test_out_inside_the_data_is_refused(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(UserError, match="lies in the data folder"):
        kcnn.diagnose_data(tmp_path, out=tmp_path / "x" / "out")


def test_progress_tells_how_far_it_is(odd):
    calls = []
    kcnn.diagnose_data(odd, progress=lambda *call: calls.append(call), **OPTIONS)
    assert ("reading pictures", len(ODD) + 1, len(ODD) + 1) in calls and any(call[0] == "comparing" for call in calls)


def test_copies_side_by_side_say_how_alike_they_are(found, odd, monkeypatch, rng):
    (case,) = found.of("near_duplicates")
    drawn = []
    monkeypatch.setattr(figures, "save", lambda figure, path: drawn.append(figure))
    figures.side_by_side([case], [[rng.integers(0, 255, (9, 9, 3), np.uint8)] * 2], "x.png")
    below = [axes.get_xlabel() for axes in drawn[0].axes]
    assert below[0].splitlines()[1].startswith("alike by 1.0") and "\n" not in below[1]
