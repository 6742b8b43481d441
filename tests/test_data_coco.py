"""COCO json becomes masks: outlines and run lengths, in the right order, and what is wrong is one line."""

import itertools
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from kcnn import data
from kcnn.data.coco_masks import decoded, render, uncompressed
from kcnn.data.mask_values import mask_of
from kcnn.errors import UserError
from kcnn.masks import IGNORE
from kcnn.recipe import Data

SQUARE = [2, 1, 6, 1, 6, 5, 2, 5]


def load(address, **options):
    options = Data(**{"validation": 0, **options})
    return data.check(data.load(address, options, 0), options)


def content(count=3, size=(8, 10), **changes):
    """A json of `count` pictures, of which each has a square of the category 7."""
    made = {
        "images": [{"id": i, "file_name": f"{i}.png", "height": size[0], "width": size[1]} for i in range(count)],
        "annotations": [{"id": 10 + i, "image_id": i, "category_id": 7, "segmentation": [SQUARE], "area": 16}
                        for i in range(count)],
        "categories": [{"id": 7, "name": "square"}, {"id": 3, "name": "other"}],
    }  # fmt: skip
    return made | changes


def write(folder, made, name="train.json", pictures="train"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / pictures).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for row in made["images"]:
        Image.fromarray(rng.integers(0, 255, (row["height"], row["width"], 3), np.uint8)).save(
            folder / pictures / row["file_name"]
        )
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(made))
    return path


def test_one_file(tmp_path):
    found = load(write(tmp_path, content()))
    expected = np.zeros((8, 10), np.uint8)
    expected[1:5, 2:6] = 2
    np.testing.assert_array_equal(mask_of(found.splits["train"].masks, 1), expected)
    assert found.class_names == ("background", "other", "square") and found.task == "masks"
    assert list(found.splits["train"].names) == ["train/0.png", "train/1.png", "train/2.png"]
    assert "1 of 3 classes never occur in a mask: other" in found.notes and "COCO json (train.json)" in found.format


@pytest.mark.parametrize("names, pictures", [
    (("train.json", "val.json"), ("train", "val")),
    (("train.json", "val.json"), ("images/train", "images/val")),
    (("annotations/instances_train2017.json", "annotations/instances_val2017.json"), ("train2017", "val2017")),
    (("train/_annotations.coco.json", "valid/_annotations.coco.json"), ("train", "valid")),
    (("train/labels.json", "val/labels.json"), ("train/images", "val/images")),
])  # fmt: skip
def test_a_folder_of_splits(tmp_path, names, pictures):
    for number, (name, folder) in enumerate(zip(names, pictures, strict=True), 2):
        write(tmp_path, content(number), name, folder)
    found = load(tmp_path)
    assert {split: len(samples) for split, samples in found.splits.items()} == {"train": 2, "val": 3}
    assert found.task == "masks" and not found.set_aside
    everything = [name for samples in found.splits.values() for name in samples.names]
    assert len(set(everything)) == 5


def test_the_json_beside_class_folders_is_no_coco(tmp_path):
    for name in ("a", "b"):
        write(tmp_path, content(), f"{name}.json", name)
        (tmp_path / f"{name}.json").write_text('{"categories": []}')
    assert load(tmp_path).task == "labels"


def test_the_annotations_folder_of_coco(tmp_path):
    """What lies beside instances_* is not read: captions, lists of pictures, key points, other names."""
    for count, split in ((3, "train"), (2, "val")):
        path = write(tmp_path, content(count), f"annotations/instances_{split}2017.json", f"{split}2017")
        others = {"person_keypoints": content(count), "captions": content(count), "image_info": content(count)}
        del others["captions"]["categories"], others["image_info"]["annotations"]
        for name, made in others.items():
            path.with_name(f"{name}_{split}2017.json").write_text(json.dumps(made))
    found = load(tmp_path)
    assert {split: len(samples) for split, samples in found.splits.items()} == {"train": 3, "val": 2}
    assert "instances_train2017.json, instances_val2017.json" in found.format
    note = next(note for note in found.notes if "only instances_* are read" in note)
    assert "not person_keypoints_train2017.json, person_keypoints_val2017.json;" in note and "captions" not in note


def test_a_list_in_the_middle_of_a_large_file_is_found(tmp_path):
    made = {"images": content(2)["images"], "info": "x" * (1 << 16), "annotations": content(2)["annotations"]}
    write(tmp_path, made | {"more": "x" * (1 << 16), "categories": content()["categories"]})
    assert len(load(tmp_path).splits["train"]) == 2


@pytest.mark.parametrize("names", [
    ("train.json", "train2017.json"), ("annotations/instances_val2014.json", "annotations/instances_val2017.json"),
    ("valid/a.json", "val/a.json"),
])  # fmt: skip
def test_two_files_of_one_split_are_refused(tmp_path, names):
    for name in names:
        write(tmp_path, content(), name, name.split("/")[0] if "/a" in name else "train")
    with pytest.raises(UserError, match=r"are both of split '(train|val)'; move or rename one") as raised:
        load(tmp_path)
    assert all(name in str(raised.value) for name in names)


def inside(polygon, size):
    """bool (H, W): whether centres lie in a polygon, by the even-odd rule."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    points, seen = np.reshape(polygon, (-1, 2)), np.zeros(size, bool)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, 0), strict=True):
        if y0 != y1:
            seen ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return seen


def test_outlines_are_drawn_where_they_are(rng):
    """Random outlines, such as cross themselves and leave the picture, by the even-odd rule; parts are joined."""
    for _ in range(30):
        polygons = rng.uniform(-20, 90, (2, 14))
        mask = render((60, 70), [{"class": 1, "segmentation": polygons.tolist()}]) > 0
        np.testing.assert_array_equal(mask, inside(polygons[0], (60, 70)) | inside(polygons[1], (60, 70)))


def test_order_crowds_boxes_and_background():
    """Small over large whatever their order, any object over a crowd; a box alone is not judged."""
    large = {"id": 1, "class": 1, "area": 80, "segmentation": [[0, 0, 10, 0, 10, 8, 0, 8]]}
    small = {"id": 2, "class": 2, "area": 16, "segmentation": [SQUARE]}
    crowd = {"id": 3, "class": 1, "area": 8, "iscrowd": 1, "segmentation": {"size": [8, 10], "counts": [0, 16, 64]}}
    one, other = render((8, 10), [large, small]), render((8, 10), [small, large])
    np.testing.assert_array_equal(one, other)
    assert one[2, 3] == 2 and one[7, 9] == 1
    seen = render((8, 10), [small, crowd])
    assert (seen[:, :2] == IGNORE).all() and (seen[1:5, 2:6] == 2).all() and (seen == 0).sum() == 64 - 16
    alone = render((8, 10), [{"id": 4, "class": 1, "bbox": [1, 2, 3, 4]}])
    assert alone[3, 2] == IGNORE and alone[0, 0] == 0


def test_order_without_areas():
    """An outline counts by its own area, as does a run length; boxes and crowds come first whatever theirs is."""
    large = {"id": 1, "class": 1, "segmentation": [[0, 0, 10, 0, 10, 8, 0, 8]]}
    small = {"id": 2, "class": 2, "area": 16, "segmentation": [SQUARE]}
    runs = {"id": 3, "class": 3, "area": 0, "segmentation": {"size": [8, 10], "counts": [26, 3, 51]}}
    box = {"id": 4, "class": 1, "bbox": [0, 0, 10, 8]}
    crowd = {"id": 5, "class": 1, "iscrowd": 1, "area": 1, "segmentation": [[0, 0, 10, 0, 10, 8, 0, 8]]}
    for order in itertools.permutations([large, small, runs, box, crowd]):
        seen = render((8, 10), list(order))
        assert (seen == 2).sum() == 13 and (seen == 3).sum() == 3 and (seen == 1).sum() == 64
    for order in itertools.permutations([small, box]):
        seen = render((8, 10), list(order))
        assert (seen == 2).sum() == 16 and (seen == IGNORE).sum() == 64


def compressed(counts):
    """COCO's text of run lengths, written from its description alone."""
    text = ""
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        while True:
            bits, value = value & 31, value >> 5
            going = not (value == -1 if bits & 16 else value == 0)
            text += chr(48 + bits + 32 * going)
            if not going:
                break
    return text


def test_run_lengths(rng):
    """A list and COCO's text, of random masks; and a text that pycocotools wrote."""
    for _ in range(20):
        size = tuple(rng.integers(1, 70, 2).tolist())
        mask = rng.random(size) < rng.uniform(0, 1)
        line = mask.T.ravel()
        ends = np.flatnonzero(np.diff(np.concatenate([[0], line, [2]]).astype(int)))
        counts = np.diff(np.concatenate([[0], ends])).tolist()
        assert uncompressed(compressed(counts)) == counts
        for given in (counts, compressed(counts), compressed(counts).encode()):
            np.testing.assert_array_equal(decoded({"size": list(size), "counts": given}, size), mask)
    assert uncompressed("61X13mN000`0") == [6, 1, 40, 4, 5, 4, 5, 4, 21]


@pytest.mark.parametrize("change, words", [
    ({"segmentation": [[1, 2, 3]]}, "annotation 11 has an outline that cannot be read: a polygon needs three"),
    ({"segmentation": [[1, 2, 3, 4, 5, float("inf")]]}, "finite numbers"),
    ({"segmentation": {"size": [8, 9], "counts": [80]}}, r"its size is \[8, 9\], the picture's \[8, 10\]"),
    ({"segmentation": {"size": [8, 10], "counts": [70]}}, "sum to 70, the picture has 80 places"),
    ({"segmentation": {"size": [8, 10], "counts": "0~"}}, "has the letter"),
    ({"segmentation": {"size": [8, 10], "counts": "0P"}}, "ends within a number"),
    ({"segmentation": {"size": [8, 10], "counts": [90, -10]}}, "run lengths"),
    ({"segmentation": {"counts": [80]}}, "annotation 11 has an outline"),
    ({"segmentation": {"size": [8, 10], "counts": [1 << 70, 80]}}, "the picture has 80 places"),
    ({"segmentation": {"size": [8, 10], "counts": [1 << 63, 1 << 63, 80]}}, "the picture has 80 places"),
    ({"segmentation": [[1, 2, 3, 4, 5, 1 << 2000]]}, "annotation 11 has an outline"),
    ({"area": "large"}, "annotation 11 has an outline that cannot be read: its area is 'large', which is no number"),
    ({"area": float("nan")}, "its area is nan"),
    ({"segmentation": 3}, "annotation 11 has an outline"),
])  # fmt: skip
def test_a_picture_with_an_object_that_cannot_be_drawn_is_set_aside(tmp_path, change, words):
    made = content()
    made["annotations"][1] |= change
    path = write(tmp_path, made)
    ((name, reason),) = load(path).set_aside
    assert name == "train/1.png" and re.search(words, reason) and "\n" not in reason
    path.write_text(json.dumps(made | {"images": made["images"][1:2], "annotations": made["annotations"][1:2]}))
    with pytest.raises(UserError, match=r"train.json: no picture can be used; train/1.png: annotation 11 has an outl"):
        load(path)


@pytest.mark.parametrize("change, words", [
    ({"image_id": 99}, "annotation 11 is of picture 99, which is not listed"),
    ({"category_id": 4}, "annotation 11 is of category 4, which has no name"),
])  # fmt: skip
def test_bad_objects(tmp_path, change, words):
    made = content()
    made["annotations"][1] |= change
    with pytest.raises(UserError, match=words) as raised:
        load(write(tmp_path, made))
    assert "\n" not in str(raised.value) and "train.json" in str(raised.value)


def test_objects_with_boxes_alone_are_a_detectors_data(tmp_path):
    path = write(tmp_path, content())
    one = {"id": 1, "image_id": 0, "category_id": 7, "bbox": [0, 0, 3, 3]}
    path.write_text(json.dumps(content(annotations=[one])))
    assert load(path).task == "boxes"


def test_a_split_with_boxes_alone_beside_outlines_is_refused(tmp_path):
    write(tmp_path, content())
    made = content()
    made["annotations"] = [row | {"segmentation": [], "bbox": [2, 1, 4, 4]} for row in made["annotations"]]
    write(tmp_path, made, "val.json", "val")
    with pytest.raises(UserError, match="val.json has boxes alone, and other splits have outlines"):
        load(tmp_path)


@pytest.mark.parametrize("changes, words", [
    ({"images": []}, "names no pictures"), ({"annotations": {}}, "needs lists of objects called images, annotations"),
    ({"annotations": [3]}, "needs lists of objects"), ({"categories": [{"id": 1}]}, "needs an id and a name"),
    ({"categories": []}, "names no categories"),
    ({"categories": [{"id": i, "name": str(i)} for i in range(300)]}, "names 300 categories; masks can hold 1 to 254"),
])  # fmt: skip
def test_bad_files(tmp_path, changes, words):
    path = write(tmp_path, content())
    path.write_text(json.dumps(content(**changes)))
    with pytest.raises(UserError, match=words) as raised:
        load(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("field, value, words", [
    ("id", 1, "two pictures share an id"), ("file_name", "../a.png", "leaves the folder"), ("height", 0, "above 0"),
    ("file_name", "/etc/a.png", "leaves the folder"), ("file_name", "gone.png", "no picture gone.png in"),
])  # fmt: skip
def test_bad_pictures(tmp_path, field, value, words):
    made = content()
    path = write(tmp_path, made)
    made["images"][0][field] = value
    path.write_text(json.dumps(made))
    with pytest.raises(UserError, match=words):
        load(path)


def test_damaged_and_differing_files(tmp_path):
    path = write(tmp_path, content())
    write(tmp_path, content(categories=[{"id": 7, "name": "cube"}]), "val.json", "val")
    with pytest.raises(UserError, match="val.json names other categories than"):
        load(tmp_path)
    path.write_text(path.read_text()[:-40])
    with pytest.raises(UserError, match="train.json is no intact JSON file"):
        load(path)


def test_a_size_that_is_not_the_pictures(tmp_path):
    made = content()
    path = write(tmp_path, made)
    made["images"][2] |= {"height": 9}
    path.write_text(json.dumps(made))
    assert load(path).set_aside == [("train/2.png", "its mask is 10x9, the picture 10x8")]


@pytest.mark.needs_data
def test_stamps_rendered_agree_with_their_masks(data_folder, tmp_path):
    """The outlines of the stamps are nearly the masks that come with them."""
    stamps = data_folder / "stamps" / "coco"
    found = load(stamps / "unseen.json")
    assert found.class_names[:3] == ("background", "mammal", "bird") and len(found.splits["train"]) == 100
    agree = []
    for i, name in enumerate(found.splits["train"].names):
        true = np.asarray(Image.open(stamps / "unseen_masks" / (name[-9:-4] + ".png")))
        seen = mask_of(found.splits["train"].masks, i)
        agree.append((seen == true)[true != IGNORE].mean())
    assert np.mean(agree) > 0.985
    for name in ("val.json", "unseen.json"):
        shutil.copy(stamps / name, tmp_path)
    for name in ("val", "unseen"):
        (tmp_path / name).symlink_to(stamps / name)
    assert set(data.load(tmp_path, Data(), 0, class_names=found.class_names).splits) == {"val", "unseen"}
