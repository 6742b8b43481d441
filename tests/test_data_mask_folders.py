"""Folders of pictures and masks: every usual layout and kind of mask is read, and what is wrong is said."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from kcnn import data
from kcnn.data.mask_values import mask_of
from kcnn.errors import UserError
from kcnn.recipe import Data
from tests.painted import cells

SIZE = (12, 16)
PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]


def load(address, check=False, **options):
    options = Data(**{"validation": 0, **options})
    found = data.load(address, options, 0)
    return data.check(found, options) if check else found


def put(folder, values, suffix=".png", mark="", mode="L", first=0):
    """Save `values` (N, H, W) as pictures 0, 1, ... in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, value in enumerate(values, first):
        image = Image.fromarray(value)
        if mode == "P":
            image.putpalette(PALETTE)
        image.save(folder / f"{i}{mark}{suffix}")


def photos(folder, count=4, suffix=".jpg", first=0):
    rng = np.random.default_rng(1)
    put(folder, rng.integers(0, 255, (count, *SIZE, 3), np.uint8), suffix, first=first)


def masks_in(samples):
    return np.stack([mask_of(samples.masks, i) for i in range(len(samples))])


def reasons(found):
    return dict(found.set_aside)


LAYOUTS = {
    "images|masks": {"train": ("images", "masks")},
    "JPEGImages|SegmentationClass": {"train": ("JPEGImages", "SegmentationClass")},
    "imgs|labels": {"train": ("imgs", "labels")},
    "image|annotations": {"train": ("image", "annotations")},
    "pictures|gt": {"train": ("pictures", "gt")},
    "splits around": {"train": ("train/images", "train/masks"), "val": ("valid/images", "valid/masks")},
    "splits inside": {"train": ("images/training", "masks/training"), "test": ("images/test", "masks/test")},
    "splits beside": {"train": ("train", "train_masks"), "unseen": ("unseen", "unseen_masks")},
    "beside, no split": {"train": ("scans", "scans_gt")},
    "labels beside": {"train": ("Train", "TrainLabels"), "val": ("Val", "ValLabels")},
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(tmp_path, name):
    for number, (pictures, masks) in enumerate(LAYOUTS[name].values()):
        photos(tmp_path / pictures, 3 + number)
        put(tmp_path / masks, cells(3 + number, SIZE, number))
    found = load(tmp_path, check=True)
    assert found.task == "masks" and not found.set_aside and not found.multi_label
    assert {split: len(samples) for split, samples in found.splits.items()} == {
        split: 3 + number for number, split in enumerate(LAYOUTS[name])
    }
    for number, split in enumerate(LAYOUTS[name]):
        np.testing.assert_array_equal(masks_in(found.splits[split]), cells(3 + number, SIZE, number))
        assert found.class_pixels(split) == tuple(np.bincount(cells(3 + number, SIZE, number).ravel(), minlength=4))


@pytest.mark.parametrize("names", [("cat", "dog"), ("images", "labels"), ("scan", "scan_gt")])
def test_class_folders_stay_class_folders(tmp_path, names):
    """Also where their names could be those of pictures and masks, and no name pairs."""
    photos(tmp_path / names[0], 3)
    photos(tmp_path / names[1], 3, first=10)
    assert load(tmp_path).class_names == names and load(tmp_path).task == "labels"


@pytest.mark.parametrize("mark", ["", "_mask", "_gt", "_L", "-label", "_segmentation", "_gtFine_labelIds"])
def test_masks_are_found_by_name(tmp_path, mark):
    photos(tmp_path / "images" / "deep")
    put(tmp_path / "masks" / "deep", cells(4, SIZE), mark=mark)
    found = load(tmp_path)
    assert list(found.splits["train"].names) == [f"images/deep/{i}.jpg" for i in range(4)]
    np.testing.assert_array_equal(masks_in(found.splits["train"]), cells(4, SIZE))


def test_what_has_no_partner_is_set_aside(tmp_path):
    photos(tmp_path / "images", 4)
    put(tmp_path / "masks", cells(3, SIZE))
    put(tmp_path / "masks", cells(1, SIZE), first=9)
    put(tmp_path / "masks", cells(1, SIZE), mark="_mask")
    photos(tmp_path / "images", 1, ".png")
    found = load(tmp_path)
    assert len(found.splits["train"]) == 3 and set(reasons(found)) == {
        "images/3.jpg", "masks/9.png", "masks/0_mask.png", "images/0.png"}  # fmt: skip
    assert "has no mask" in reasons(found)["images/3.jpg"] and "without a picture" in reasons(found)["masks/9.png"]
    assert "second mask" in reasons(found)["masks/0_mask.png"] and "same name" in reasons(found)["images/0.png"]


def test_folders_without_any_pair_are_refused_with_the_layouts(tmp_path):
    photos(tmp_path / "images")
    put(tmp_path / "masks", cells(2, SIZE), first=50)
    with pytest.raises(UserError, match="no mask has the name of a picture; accepted: DIR/images"):
        load(tmp_path)


def test_a_split_without_masks_is_left_out_and_said(tmp_path):
    photos(tmp_path / "images" / "train")
    photos(tmp_path / "images" / "test")
    put(tmp_path / "masks" / "train", cells(4, SIZE))
    found = load(tmp_path)
    assert set(found.splits) == {"train"} and any("'test' has pictures but no masks" in n for n in found.notes)


def kinds(values):
    """{name: (masks as stored, mode, suffix)} that all mean `values`."""
    colours = np.array([(0, 0, 0), (0, 0, 200), (90, 10, 10), (255, 255, 0)], np.uint8)
    grey = np.repeat(values[..., None], 3, -1)
    return {
        "grey": (values, "L", ".png"), "palette": (values, "P", ".png"),
        "tiff": (values, "L", ".tif"), "sixteen": (values.astype(np.uint16), "I;16", ".png"),
        "colours": (colours[values], "RGB", ".png"), "grey as colours": (grey, "RGB", ".bmp"),
    }  # fmt: skip


@pytest.mark.parametrize("kind", kinds(np.zeros((1, 1, 1), np.uint8)))
def test_kinds_of_masks(tmp_path, kind):
    values = cells(4, SIZE)
    stored, mode, suffix = kinds(values)[kind]
    photos(tmp_path / "images")
    put(tmp_path / "masks", stored, suffix, mode=mode)
    found = load(tmp_path)
    np.testing.assert_array_equal(masks_in(found.splits["train"]), values)
    word = {"palette": "palette numbers", "colours": "4 colours"}.get(kind, "grey class")
    assert word in found.format
    names = ("#000000", "#0000c8", "#5a0a0a", "#ffff00") if kind == "colours" else tuple(f"class {i}" for i in range(4))
    assert found.class_names == names


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif"])
def test_black_and_white_is_two_classes(tmp_path, suffix):
    values = (cells(4, (32, 32)) > 1).astype(np.uint8)
    photos(tmp_path / "images")
    put(tmp_path / "masks", values * 255, suffix)
    found = load(tmp_path)
    seen = masks_in(found.splits["train"])
    assert found.class_names == ("class 0", "class 1") and "255 is class 1" in found.format
    assert (seen == values).mean() > (0.97 if suffix == ".jpg" else 0.999)


@pytest.mark.parametrize("greys", [(64, 128, 192), range(1, 255), range(5, 250, 9)])
def test_black_and_white_with_soft_edges_is_refused(tmp_path, greys):
    """Also where 255 does not occur beside them; the way out is a threshold, or a list of classes."""
    values = (cells(4, (20, 20)) > 1) * np.uint8(255)
    values[0].flat[: len(greys)] = greys
    photos(tmp_path / "images")
    put(tmp_path / "masks", values)
    count, highest = len(greys) + 1, max(greys)
    words = rf"{count} numbers up to {highest}, .* \(threshold them\); if they are {highest + 1} classes, name them"
    with pytest.raises(UserError, match=words):
        load(tmp_path)
    (tmp_path / "classes.txt").write_text("\n".join(f"number {i}" for i in range(255)))
    assert load(tmp_path).num_classes == 255
    (tmp_path / "classes.txt").write_text("around\ninside")
    found = load(tmp_path)
    assert "has class" in reasons(found)["images/0.jpg"] and len(found.set_aside) == 1


def test_numbers_with_gaps_are_classes(tmp_path):
    photos(tmp_path / "images")
    put(tmp_path / "masks", cells(4, SIZE) * np.uint8(20))
    assert load(tmp_path).num_classes == 61


@pytest.mark.parametrize("names, words", [
    ("a\nb", "255 is class 1, named by classes.txt"), ("a\nb\nc", r"255 is class 1 (classes.txt names 3: not used)"),
    ("a", "255 is class 1 (classes.txt names 1: not used)"),
])  # fmt: skip
def test_a_list_that_black_and_white_masks_do_not_fit_is_not_used(tmp_path, names, words):
    photos(tmp_path / "images")
    put(tmp_path / "masks", (cells(4, SIZE) > 1) * np.uint8(255))
    (tmp_path / "classes.txt").write_text(names)
    found = load(tmp_path)
    assert f"({found.format.partition(' (')[2]}".endswith(f"black and white: {words})")
    assert found.class_names == (("a", "b") if names == "a\nb" else ("class 0", "class 1"))


@pytest.mark.parametrize("number", [0, 3, 255])
def test_the_number_that_a_list_says_is_not_judged(tmp_path, number):
    """Also 0, and 255 where it is alone beside 0."""
    values = (cells(4, SIZE) > 1) * np.uint8(255) if number == 255 else cells(4, SIZE)
    photos(tmp_path / "images")
    put(tmp_path / "masks", values)
    names = {name: k for k, name in enumerate(["ground", "red", "green", "yellow"]) if k != number}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": names | {"ignore": number}}))
    found = load(tmp_path)
    np.testing.assert_array_equal(masks_in(found.splits["train"]), np.where(values == number, 255, values))
    assert "ignore" not in found.class_names and "named by dataset.json" in found.format


def test_255_is_not_judged_beside_other_numbers(tmp_path):
    values = cells(4, SIZE)
    values[:, :2] = 255
    photos(tmp_path / "images")
    put(tmp_path / "masks", values)
    found = load(tmp_path)
    np.testing.assert_array_equal(masks_in(found.splits["train"]), values)
    assert "255 is not judged" in found.format and sum(found.class_pixels()) == (values != 255).sum()


LISTS = {
    "classes.txt": "ground\nred\n\ngreen\nyellow\n",
    "labels.txt": "0: ground\n1: red\n2: green\n3: yellow",
    "class_dict.csv": "name, r, g, b\nground,0,0,0\nred,128,0,0\ngreen,0,128,0\nyellow,128,128,0",
    "set.json": '{"categories": [{"id": 3, "name": "yellow"}, {"id": 1, "name": "red"}, {"id": 2, "name": "green"}]}',
}


@pytest.mark.parametrize("name", LISTS)
def test_names_of_classes(tmp_path, name):
    photos(tmp_path / "images")
    put(tmp_path / "masks", cells(4, SIZE), mode="P")
    (tmp_path / name).write_text(LISTS[name])
    found = load(tmp_path)
    first = "background" if name == "set.json" else "ground"
    assert found.class_names == (first, "red", "green", "yellow") and name in found.format
    np.testing.assert_array_equal(masks_in(found.splits["train"]), cells(4, SIZE))


def test_a_table_of_colours_orders_the_classes(tmp_path):
    colours = np.array([(128, 128, 0), (0, 0, 0), (0, 128, 0), (128, 0, 0)], np.uint8)
    photos(tmp_path / "images")
    put(tmp_path / "masks", colours[cells(4, SIZE)])
    (tmp_path / "class_dict.csv").write_text(LISTS["class_dict.csv"])
    found = load(tmp_path)
    assert found.class_names == ("ground", "red", "green", "yellow")
    np.testing.assert_array_equal(masks_in(found.splits["train"]), np.array([3, 0, 2, 1])[cells(4, SIZE)])


@pytest.mark.parametrize("name", ["Void", "ignore", "unlabelled"])
def test_a_colour_may_stand_for_what_is_not_judged(tmp_path, name):
    colours = np.array([(0, 0, 0), (128, 0, 0), (7, 7, 7), (0, 128, 0)], np.uint8)
    photos(tmp_path / "images")
    put(tmp_path / "masks", colours[cells(4, SIZE)])
    rows = f"name,r,g,b\nground,0,0,0\nred,128,0,0\n{name},7,7,7\ngreen,0,128,0"
    (tmp_path / "class_dict.csv").write_text(rows)
    found = load(tmp_path)
    assert found.class_names == ("ground", "red", "green")
    np.testing.assert_array_equal(masks_in(found.splits["train"]), np.array([0, 1, 255, 2])[cells(4, SIZE)])


def test_bad_masks_are_set_aside_one_by_one(tmp_path):
    """Another size, numbers and colours beyond the classes, unreadable, all ignored, a JPEG of class numbers."""
    values = cells(9, (20, 20))
    values[1, 3, 3:5], values[3] = 7, 255
    rng = np.random.default_rng(0)
    put(tmp_path / "images", rng.integers(0, 255, (9, 20, 20, 3), np.uint8), ".jpg")
    put(tmp_path / "masks", values)
    put(tmp_path / "masks", cells(1, (20, 10)))
    (tmp_path / "masks" / "2.png").write_bytes(b"no picture")
    for i, (suffix, value) in enumerate([(".jpg", values[4] * 60), (".png", values[5].astype(np.float32))], 4):
        (tmp_path / "masks" / f"{i}.png").unlink()
        Image.fromarray(value).save(tmp_path / "masks" / f"{i}{'.tif' if i == 5 else suffix}")
    Image.fromarray(np.full((20, 20), 4000, np.uint16)).save(tmp_path / "masks" / "6.png")
    Image.fromarray(rng.integers(0, 255, (20, 20, 3), np.uint8)).save(tmp_path / "masks" / "7.png")
    (tmp_path / "classes.txt").write_text("a\nb\nc\nd")
    found = reasons(load(tmp_path, check=True))
    assert set(found) == {f"images/{i}.jpg" for i in range(8)}
    words = ["its mask is 10x20, the picture 20x20", "has class 7 (2 pixels); classes.txt names 0 to 3 (d)",
             "cannot be read: it is no picture", "its mask is empty", "a JPEG, which blurs", "holds fractions",
             "has the number 4000", "more than 256 colours"]  # fmt: skip
    for i, word in enumerate(words):
        assert word in found[f"images/{i}.jpg"], found[f"images/{i}.jpg"]


def test_unknown_colours_too_many_colours_and_huge_masks(tmp_path):
    photos(tmp_path / "images", 2)
    colours = np.random.default_rng(0).integers(0, 255, (2, 80, 3), np.uint8)
    put(tmp_path / "masks", np.stack([c[np.arange(12 * 16) % 80].reshape(*SIZE, 3) for c in colours]))
    with pytest.raises(UserError, match="the masks have 160 colours, at most 64"):
        load(tmp_path)
    (tmp_path / "class_dict.csv").write_text(LISTS["class_dict.csv"])
    with pytest.raises(UserError, match=r"no mask can be used \(2 looked at; .* has the colour #.* does not name\)"):
        load(tmp_path)
    with pytest.raises(UserError, match="more than 100 pixels"):
        load(tmp_path, max_pixels=100)


def test_a_mask_of_the_picture_before_exif_turns_it(tmp_path):
    photos(tmp_path / "images")
    put(tmp_path / "masks", cells(4, SIZE))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(tmp_path / "images" / "1.jpg").save(tmp_path / "images" / "1.jpg", exif=exif)
    assert reasons(load(tmp_path, check=True)) == {
        "images/1.jpg": "its mask is 16x12, the picture 12x16, which EXIF turns: turn the mask, too"
    }


def test_masks_that_all_misfit_or_show_one_class_are_refused(tmp_path):
    photos(tmp_path / "images")
    put(tmp_path / "masks", cells(4, (9, 9)))
    with pytest.raises(UserError, match=r"no picture of split 'train' can be used \(4 .* its mask is 9x9"):
        load(tmp_path, check=True)
    put(tmp_path / "masks", np.zeros((4, *SIZE), np.uint8))
    with pytest.raises(UserError, match=r"the training masks have one class \(class 0\)"):
        load(tmp_path, check=True)


def test_notes_name_absent_classes_and_masks_of_one_class(tmp_path):
    values = cells(4, SIZE)
    values[2] = 0
    photos(tmp_path / "images")
    put(tmp_path / "masks", values)
    (tmp_path / "classes.txt").write_text("a\nb\nc\nd\ne\nf")
    notes = load(tmp_path).notes
    assert "2 of 6 classes never occur in a mask: e, f" in notes
    assert "1 masks hold 'a' and nothing else, such as that of images/2.jpg" in notes


@pytest.mark.parametrize("name, text, words", [
    ("class_dict.csv", "name,r,g\na,1,2", "needs the columns name, r, g, b"),
    ("class_dict.csv", "name,r,g,b\na,1,2,x", "must be whole numbers"),
    ("class_dict.csv", "name,r,g,b\nvoid,1,2,3", "names no class beside what is not judged"),
    ("class_dict.csv", "name,r,g,b\na,1,2,300", "between 0 and 255"),
    ("class_dict.csv", "name,r,g,b\na,1,2,3\nb,1,2,3", "no two classes share a colour"),
    ("classes.txt", "a\nb\na", "names 'a' twice"),
    ("labels.txt", "\n".join(map(str, range(300))), "masks can hold 255"),
])  # fmt: skip
def test_bad_lists_of_classes(tmp_path, name, text, words):
    photos(tmp_path / "images")
    put(tmp_path / "masks", cells(4, SIZE))
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=words):
        load(tmp_path)


def test_an_archive_of_masks(tmp_path, monkeypatch):
    monkeypatch.setenv("KCNN_CACHE", str(tmp_path / "cache"))
    photos(tmp_path / "set" / "images")
    put(tmp_path / "set" / "masks", cells(4, SIZE))
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in sorted((tmp_path / "set").rglob("*.*")):
            archive.write(path, path.relative_to(tmp_path))
    found = load(tmp_path / "set.zip")
    np.testing.assert_array_equal(masks_in(found.splits["train"]), cells(4, SIZE))


def test_masks_of_a_run_keep_its_numbers(tmp_path):
    """Scored data may list the same classes in another order, or fewer; unknown ones are refused."""
    photos(tmp_path / "images")
    put(tmp_path / "masks", cells(4, SIZE))
    (tmp_path / "classes.txt").write_text("d\nc\nb\na")
    found = data.load(tmp_path, Data(), 0, class_names=("a", "b", "c", "d", "e"))
    np.testing.assert_array_equal(masks_in(found.splits["train"]), 3 - cells(4, SIZE))
    assert found.class_names == ("a", "b", "c", "d", "e") and found.class_pixels()[4] == 0
    with pytest.raises(UserError, match="'b' not among"):
        data.load(tmp_path, Data(), 0, class_names=("a", "c", "d"))


@pytest.mark.needs_data
def test_stamps_use_masks_and_say_so(data_folder):
    found = load(data_folder / "stamps" / "coco")
    assert {split: len(samples) for split, samples in found.splits.items()} == {
        "train": 1200,
        "val": 300,
        "unseen": 100,
    }
    assert found.class_names[:3] == ("background", "mammal", "bird") and "255 is not judged" in found.format
    assert any("masks are used, not the objects in train.json" in note for note in found.notes)


def test_splits_are_stratified_by_the_classes_that_occur(tmp_path):
    values = np.zeros((40, *SIZE), np.uint8)
    values[:10, :4] = 1
    photos(tmp_path / "images", 40)
    put(tmp_path / "masks", values)
    found = load(tmp_path, validation=0.2)
    assert found.class_counts("val") == (8, 2) and len(found.splits["train"]) == 32
    assert replace(found).stamped().fingerprint == found.fingerprint
