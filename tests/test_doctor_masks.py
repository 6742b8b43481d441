"""What the doctor says of pictures with masks: each finding provoked once, and silence where all is well."""

import numpy as np
import pytest
from PIL import Image

from kcnn import data, doctor
from kcnn.doctor.masks import KINDS
from kcnn.recipe import Data, Recipe
from tests.painted import NAMES, cells, painted
from tests.spoiled import scene
from tests.test_cli import kcnn as command


def save(folder, name, picture, mask):
    for part, image in (("images", picture), ("masks", Image.fromarray(mask))):
        (folder / part).mkdir(parents=True, exist_ok=True)
        image.save(folder / part / f"{name}.png")


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A folder of pictures and masks with every fault that masks can have."""
    folder = tmp_path_factory.mktemp("odd")
    values = cells(9, (40, 60))
    values[0] = 0
    values[(values == 2) | (values == 1)] = 0
    values[1:, :3, :4] = 1
    for i, mask in enumerate(values):
        save(folder / "train", str(i), scene(i, (60, 40)), mask)
    save(folder / "train", "size", scene(20, (60, 40)), values[3][:20])
    save(folder / "train", "ignored", scene(21, (60, 40)), np.full((40, 60), 255, np.uint8))
    save(folder / "train", "same_1", scene(22, (60, 40)), values[4])
    save(folder / "train", "same_2", scene(22, (60, 40)), values[5])
    (folder / "train" / "masks" / "alone.png").write_bytes((folder / "train" / "masks" / "1.png").read_bytes())
    for i, name in enumerate(("leak", "a", "b")):
        save(folder / "val", name, scene(6 if name == "leak" else 30 + i, (60, 40)), values[6 + i])
    (folder / "classes.txt").write_text("\n".join(NAMES))
    return folder


@pytest.fixture(scope="module")
def found(odd):
    return doctor.diagnose(data.load(odd, Data(), 0), Data())


def test_every_finding_of_masks(found):
    assert {finding.kind for finding in found.findings} >= {*KINDS}
    (size,) = found.of("mask_size")
    assert size.pictures[0].name == "train/images/size.png" and size.detail == "its mask is 60x20, the picture 60x40"
    aside = {case.detail for case in found.of("mask_set_aside")}
    assert any("ignored.png: its mask is empty" in detail for detail in aside) and len(aside) == 2
    assert any("alone.png: a mask without a picture" in detail for detail in aside)
    one = {case.pictures[0].name: case.detail for case in found.of("mask_of_one_class")}
    assert one["train/images/0.png"] == "all of it ground"
    assert found.of("rare_places")[0].detail.endswith("% in train") and "ground" in found.of("rare_places")[0].detail
    assert [case.detail for case in found.of("empty_class")] == ["green: in no mask that can be used"]
    assert not found.of("unbalanced")


def test_leakage_and_copies_with_other_masks(found):
    assert found.is_severe and {one.name for one in found.of("exact_across_splits")[0].pictures} == {
        "train/images/6.png", "val/images/leak.png"}  # fmt: skip
    (conflict,) = found.of("conflicting_duplicates")
    assert {one.name for one in conflict.pictures} == {"train/images/same_1.png", "train/images/same_2.png"}
    assert {"train/images/same_1.png", "train/images/same_2.png", "train/images/6.png"} == {
        n for n, _ in found.quarantine
    }


def test_text_counts_pictures_and_places(found):
    lines = list(doctor.text(found))
    assert "  train: 12 pictures" in lines and "  val: 3 pictures" in lines
    (places,) = (line for line in lines if line.startswith("  places of train: ground "))
    assert "green 0 %" in places and doctor.Diagnosis.model_validate_json(found.model_dump_json()) == found


def test_the_page_and_the_command(odd, tmp_path, capsys):
    assert "masks of another size than their pictures" in command(capsys, "check", odd, "--out", tmp_path / "page")[1]
    page = (tmp_path / "page" / "check.md").read_text()
    assert "## Places of masks" in page and "## Masks of a single class (hint)" in page
    assert (tmp_path / "page" / "mask_of_one_class.png").is_file()
    assert "](masks.png)" in page and (tmp_path / "page" / "masks.png").is_file()


def test_nothing_is_said_of_sound_masks():
    """Also not of near copies whose masks differ, as those of crops must."""
    samples = painted("arrays", 12)
    found = doctor.diagnose(data.DataSet({"train": samples}, NAMES, False, "x"), Data())
    assert not {finding.kind for finding in found.findings} & {*KINDS}
    assert found.sizes == {"train": 12} and sum(found.places["train"].values()) == 12 * 48 * 60


def test_signals_with_masks_can_be_checked(rng):
    masks = rng.integers(0, 2, (8, 20))
    found = doctor.diagnose(data.load((masks[..., None].astype(np.float32), masks), Data(validation=0), 0), Data())
    assert found.places and not found.of("mask_size")


def test_the_sheet_draws_masks(tmp_path, monkeypatch):
    from kcnn.doctor import augmented

    seen = []
    monkeypatch.setattr(augmented, "outline", lambda axes, sample: seen.append(sample["mask"]) or set())
    dataset = data.DataSet({"train": painted("encoded", 6)}, NAMES, False, "x")
    augmented.write_sheet(dataset, (40, 40, 3), Recipe(), tmp_path / "sheet.png", "x")
    assert (tmp_path / "sheet.png").is_file() and {mask.shape for mask in seen} == {(40, 40)}


def test_the_sheet_of_masks_has_what_fits_at_its_own_shape(odd, tmp_path, monkeypatch):
    from kcnn.doctor import masked

    seen = []
    monkeypatch.setattr(masked, "sheet", lambda *given: seen.append(given))
    assert masked.write_masks(data.load(odd, Data(), 0), tmp_path / "masks.png", 10**6)
    names, pictures, masks, class_names, _ = seen[0]
    assert len(names) == 8 and not any("size" in name for name in names) and class_names == NAMES
    for picture, mask in zip(pictures, masks, strict=True):
        assert picture.shape == (149, 224, 3) and mask.shape == (149, 224) and not (mask == 255).any()


def test_the_sheet_of_masks_shows_rare_classes_first():
    labels = np.zeros((5000, 4), np.float32)
    labels[:, 0] = labels[1234, 2] = labels[1235, 1] = labels[4000, [1, 3]] = 1
    from kcnn.doctor.masked import _telling

    assert _telling(labels, 8)[:3] == [4000, 1234, 0] and len(_telling(labels[:3], 8)) == 3


@pytest.mark.parametrize("shape", [(60,), (9, 12, 10), (12, 9)])
def test_the_sheet_of_masks_draws_every_rank(shape, tmp_path, rng):
    masks = rng.integers(0, 3, (5, *shape)).astype(np.uint8)
    masks.reshape(5, -1)[:, :4] = 255
    found = data.load((masks[..., None].astype(np.float32), masks), Data(validation=0), 0)
    assert doctor.masked.write_masks(found, tmp_path / "masks.png", 10**6)
    width, height = Image.open(tmp_path / "masks.png").size
    assert height < width < 2000
