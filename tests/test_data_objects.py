"""Boxes of pictures: from COCO json, YOLO's folders, Pascal VOC and CSV to batches, with what is wrong told of."""

import json
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from kcnn import data
from kcnn.data.box_checks import BoxProblems
from kcnn.data.objects import Objects
from kcnn.errors import UserError
from kcnn.recipe import Augment, Data

NAMES = ("cat", "dog")
BOXES = [[[2, 3, 12, 9], [10, 1, 19, 15]], [[4, 4, 8, 8]], []]  # of three pictures of 20×16
CLASSES = [[1, 0], [1], []]
SIZE = (16, 20)


def pictures(folder, rng):
    """Three pictures: p0.png, p1.jpg, p2.png."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ["p0.png", "p1.jpg", "p2.png"]
    for name in names:
        Image.fromarray(rng.integers(0, 255, (*SIZE, 3), np.uint8)).save(folder / name)
    return names


def as_coco(folder, rng):
    names = pictures(folder / "train", rng)
    images = [{"id": i + 5, "file_name": name, "height": 16, "width": 20} for i, name in enumerate(names)]
    rows = [(i, box, kind) for i, some in enumerate(BOXES) for box, kind in zip(some, CLASSES[i], strict=True)]
    annotations = [
        {"id": n, "image_id": i + 5, "category_id": kind * 3 + 1, "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]]}
        for n, (i, b, kind) in enumerate(rows)
    ]
    categories = [{"id": k * 3 + 1, "name": name} for k, name in enumerate(NAMES)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "train.json").write_text(json.dumps(content))
    return folder / "train.json"


def as_yolo(folder, rng):
    names = pictures(folder / "images" / "train", rng)
    labels = folder / "labels" / "train"
    labels.mkdir(parents=True)
    for name, boxes, classes in zip(names, BOXES, CLASSES, strict=True):
        lines = [
            f"{k} {(b[0] + b[2]) / 40} {(b[1] + b[3]) / 32} {(b[2] - b[0]) / 20} {(b[3] - b[1]) / 16}"
            for b, k in zip(boxes, classes, strict=True)
        ]
        if lines:
            (labels / name).with_suffix(".txt").write_text("\n".join(lines))
    (folder / "data.yaml").write_text("path: .\ntrain: images/train\nnames:\n  0: cat\n  1: dog\n")
    return folder


def as_voc(folder, rng):
    names = pictures(folder / "JPEGImages", rng)
    (folder / "Annotations").mkdir()
    for name, boxes, classes in zip(names, BOXES, CLASSES, strict=True):
        objects = "".join(
            f"<object><name>{NAMES[k]}</name><difficult>0</difficult><bndbox><xmin>{b[0] + 1}</xmin>"
            f"<ymin>{b[1] + 1}</ymin><xmax>{b[2]}</xmax><ymax>{b[3]}</ymax></bndbox></object>"
            for b, k in zip(boxes, classes, strict=True)
        )
        text = f"<annotation><filename>{name}</filename>{objects}</annotation>"
        (folder / "Annotations" / name).with_suffix(".xml").write_text(text)
    return folder


def as_csv(folder, rng):
    names = pictures(folder, rng)
    lines = ["image,xmin,ymin,xmax,ymax,label"]
    for name, boxes, classes in zip(names, BOXES, CLASSES, strict=True):
        lines += [f"{name},{b[0]},{b[1]},{b[2]},{b[3]},{NAMES[k]}" for b, k in zip(boxes, classes, strict=True)]
        lines += [] if boxes else [f"{name},,,,,"]
    (folder / "boxes.csv").write_text("\n".join(lines))
    return folder / "boxes.csv"


@pytest.mark.parametrize("write", [as_coco, as_yolo, as_voc, as_csv])
def test_every_format_says_the_same(write, tmp_path):
    address = write(tmp_path, np.random.default_rng(0))
    found = data.load(str(address), Data(validation=0), wanted="boxes")
    assert found.task == "boxes" and found.class_names == NAMES
    samples = data.check(found, Data(validation=0)).splits["train"]
    assert [name.rpartition("/")[2] for name in samples.names] == ["p0.png", "p1.jpg", "p2.png"]
    for i in range(3):
        rows = samples.objects.rows(i)
        np.testing.assert_allclose(samples.objects.boxes[rows], np.reshape(BOXES[i], (-1, 4)), atol=1e-4)
        np.testing.assert_array_equal(samples.objects.classes[rows], CLASSES[i])
    np.testing.assert_array_equal(samples.labels, [[1, 1], [0, 1], [0, 0]])
    batch = next(iter(data.batches(samples, (16, 20, 3), 3, training=False, num_classes=2, framing="pad")))
    np.testing.assert_allclose(batch["boxes"][0], BOXES[0], atol=1e-3)
    np.testing.assert_array_equal(batch["classes"], [[1, 0], [1, -1], [-1, -1]])


def test_boxes_follow_their_picture_into_a_frame_of_another_shape_and_back(tmp_path):
    found = data.load(str(as_coco(tmp_path, np.random.default_rng(0))), Data(validation=0), wanted="boxes")
    samples = data.check(found, Data(validation=0)).splits["train"]
    frame = (40, 40, 3)
    batch = next(iter(data.batches(samples, frame, 3, training=False, num_classes=2, framing="pad")))
    np.testing.assert_allclose(batch["boxes"][1, 0], [8, 12, 16, 20], atol=1e-3)  # twice as large, 4 rows of margin
    back = data.in_pictures(batch["boxes"], np.tile(SIZE, (3, 1)), frame, "pad")[0].numpy()
    np.testing.assert_allclose(back[0], BOXES[0], atol=1e-3)


def test_outlines_become_masks_that_follow_flips(tmp_path):
    address = as_yolo(tmp_path, np.random.default_rng(0))
    outline = "1 " + " ".join(f"{x / 20} {y / 16}" for x, y in ((2, 3), (12, 3), (12, 9)))
    (tmp_path / "labels" / "train" / "p0.txt").write_text(outline)
    found = data.load(str(address), Data(validation=0), wanted="outlines")
    samples = data.check(found, Data(validation=0)).splits["train"]
    options = {"num_classes": 2, "framing": "pad"}
    plain = next(iter(data.batches(samples, (16, 20, 3), 3, training=False, **options)))
    assert plain["masks"].shape == (3, 1, 16, 20) and 25 <= plain["masks"][0, 0].numpy().sum() <= 35
    flipped = next(
        iter(data.batches(samples, (16, 20, 3), 3, training=True, augment=Augment(flip_horizontal=1.0), **options))
    )
    place = int(np.flatnonzero(flipped["index"].numpy() == 0)[0])
    np.testing.assert_array_equal(flipped["masks"][place, 0], plain["masks"][0, 0][:, ::-1])
    np.testing.assert_allclose(flipped["boxes"][place, 0], [8, 3, 18, 9], atol=1e-3)


def test_what_is_wrong_with_boxes_is_counted_and_told():
    problems = BoxProblems()
    boxes = [[1, 1, 5, 5], [1, 1, 5, 5], [5, 5, 1, 1], [-9, -9, -1, -1], [15, 2, 40, 9], [3, 3, 3.4, 9], [np.nan] * 4]
    cut, kept = problems.usable(boxes, [0, 0, 0, 0, 1, 1, 1], SIZE, "one.png")
    np.testing.assert_array_equal(kept, [True, False, False, False, True, False, False])
    np.testing.assert_allclose(cut[4], [15, 2, 20, 9])
    assert problems.counts == {"broken": 2, "outside": 1, "cut": 1, "tiny": 1, "twice": 1}
    notes = " ".join(problems.notes())
    for words in ("wrong way round", "wholly outside", "reach beyond", "less than 1 pixel", "there twice", "one.png"):
        assert words in notes
    assert BoxProblems().notes() == []


def test_crowds_are_not_learned_and_pictures_can_be_taken():
    objects = Objects.of([np.array([[0, 0, 4, 4], [1, 1, 3, 3]]), np.zeros((0, 4)), np.array([[2, 2, 5, 5]])],
                         [[0, 1], [], [1]], [[False, True], [], [False]])  # fmt: skip
    taken = objects.take(np.array([2, 0]))
    np.testing.assert_array_equal(taken.classes, [1, 0, 1])
    np.testing.assert_array_equal(taken.starts, [0, 1, 3])
    samples = data.Samples(
        data.Arrays(np.zeros((3, 8, 8, 1), np.uint8)), objects.occurring(2), np.arange(3).astype(str), objects=objects
    )
    batch = next(iter(data.batches(samples, (8, 8, 1), 3, training=False, num_classes=2)))
    np.testing.assert_array_equal(batch["classes"], [[0, -1], [-1, -1], [1, -1]])


BROKEN = [
    ("yolo", "0 0.5 0.5 0.2\n", "a box has 5 numbers"),
    ("yolo", "7 0.5 0.5 0.2 0.2\n", "the class 7 is unknown; 2 classes are named"),
    ("yolo", "0 a b c d\n", "cannot be read as numbers"),
    ("voc", "<annotation><object></object></annotation>", "needs a name and a bndbox"),
    ("voc", "<annotation>", "cannot be read as XML"),
    ("voc", "<!DOCTYPE a [<!ENTITY b 'c'>]><annotation/>", "defines entities"),
]


@pytest.mark.parametrize(("kind", "text", "words"), BROKEN)
def test_a_file_that_cannot_be_understood_sets_its_picture_aside(kind, text, words, tmp_path):
    rng = np.random.default_rng(0)
    address = (as_yolo if kind == "yolo" else as_voc)(tmp_path, rng)
    place = "labels/train/p1.txt" if kind == "yolo" else "Annotations/p1.xml"
    (tmp_path / place).write_text(text)
    found = data.load(str(address), Data(validation=0), wanted="boxes")
    assert len(found.splits["train"]) == 2 and words in found.set_aside[0][1]


def test_labels_without_pictures_and_pictures_without_labels_are_told_of(tmp_path):
    address = as_yolo(tmp_path, np.random.default_rng(0))
    (tmp_path / "labels" / "train" / "other.txt").write_text("0 0.5 0.5 0.1 0.1")
    notes = " ".join(data.load(str(address), Data(validation=0), wanted="boxes").notes)
    assert "1 of 3 pictures of train have no file of labels" in notes
    assert "1 files of labels have no picture" in notes and "other.txt" in notes and "DIR/images/train" in notes


def test_pictures_of_another_size_than_their_boxes_are_set_aside(tmp_path):
    address = as_coco(tmp_path, np.random.default_rng(0))
    content = json.loads(address.read_text())
    content["images"][1]["width"] = 30
    address.write_text(json.dumps(content))
    found = data.check(data.load(str(address), Data(validation=0), wanted="boxes"), Data(validation=0))
    assert found.set_aside == [("train/p1.jpg", "its boxes are for 30x16, the picture 20x16")]


def test_columns_and_lines_of_a_table_are_named(tmp_path):
    address = as_csv(tmp_path, np.random.default_rng(0))
    address.write_text(address.read_text().replace("10,1,19,15", "10,1,x,15"))
    with pytest.raises(UserError, match="line 3: xmin, ymin, xmax, ymax must be numbers"):
        data.load(str(address), Data(validation=0), wanted="boxes")
    address.write_text(address.read_text().replace(",x,15", ",19,15").replace(",dog", ","))
    with pytest.raises(UserError, match="line [23]: column 'label' is empty"):
        data.load(str(address), Data(validation=0), wanted="boxes")
    address.write_text("image,label\np0.png,cat\np1.jpg,dog")
    with pytest.raises(UserError, match="no column for boxes: unknown column 'xmin'"):
        data.load(str(address), Data(validation=0), wanted="boxes")


def test_lists_of_voc_that_do_not_fit_its_files_say_so(tmp_path):
    address = as_voc(tmp_path, np.random.default_rng(0))
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("p0\np9\n")
    found = data.load(str(address), Data(validation=0), wanted="boxes")
    left = dict(found.set_aside)
    assert left["p9"] == "is in ImageSets/Main/train.txt, and there is no .xml of it"
    assert left["Annotations/p1.xml"] == "is in no list of ImageSets/Main" and len(found.splits["train"]) == 1


def test_nothing_to_learn_is_refused(tmp_path):
    address = as_coco(tmp_path, np.random.default_rng(0))
    content = json.loads(address.read_text()) | {"annotations": []}
    address.write_text(json.dumps(content))
    with pytest.raises(UserError, match="have no objects"):
        data.check(data.load(str(address), Data(validation=0), wanted="boxes"), Data(validation=0))


def test_tfds_of_objects(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    rng = np.random.default_rng(0)

    class KcnnBoxes(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            parts = {"bbox": tfds.features.BBoxFeature(), "label": tfds.features.ClassLabel(names=list(NAMES))}
            objects = tfds.features.Sequence({**parts, "is_crowd": np.bool_})
            image = tfds.features.Image(shape=(None, None, 3))
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict({"image": image, "objects": objects})
            )

        def _split_generators(self, manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for i, (boxes, classes) in enumerate(zip(BOXES, CLASSES, strict=True)):
                objects = [
                    {"bbox": tfds.features.BBox(y0 / 16, x0 / 20, y1 / 16, x1 / 20), "label": k, "is_crowd": k == 0}
                    for (x0, y0, x1, y1), k in zip(boxes, classes, strict=True)
                ]
                yield i, {"image": rng.integers(0, 255, (*SIZE, 3), np.uint8), "objects": objects}

    builder = KcnnBoxes(data_dir=str(tmp_path))
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
    monkeypatch.setattr("kcnn.data.tfds._builder", lambda name: builder)
    found = data.load("tfds:kcnn_boxes", Data(validation=0), wanted="boxes")
    assert found.task == "boxes" and found.class_names == NAMES and "boxes by the feature 'objects'" in found.format
    samples = data.check(found, Data(validation=0)).splits["train"]
    order = [int(np.flatnonzero(samples.objects.counts == n)[0]) for n in (2, 1, 0)]
    np.testing.assert_allclose(samples.objects.boxes[samples.objects.rows(order[0])], BOXES[0], atol=1e-3)
    np.testing.assert_array_equal(samples.objects.crowd[samples.objects.rows(order[0])], [False, True])


def test_other_data_may_number_the_classes_otherwise(tmp_path):
    address = as_yolo(tmp_path, np.random.default_rng(0))
    found = data.load(str(address), Data(), class_names=("dog", "bird", "cat"), wanted="boxes")
    np.testing.assert_array_equal(found.splits["train"].objects.classes, [0, 2, 0])
    np.testing.assert_array_equal(found.splits["train"].labels, [[1, 0, 1], [1, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize("wanted", ["boxes", "outlines"])
def test_a_coco_json_takes_at_most_six_times_its_size(wanted, tmp_path):
    rng, count = np.random.default_rng(0), 400
    address = as_coco(tmp_path, rng)
    content = json.loads(address.read_text())
    content["annotations"] = [
        {"id": i, "image_id": 5 + i % 3, "category_id": 1 + 3 * (i % 2), "bbox": [1 + i / 97, 2.25, 9.5, 7.75],
         "segmentation": [rng.uniform(0, 16, 80).round(2).tolist()], "area": 30.5 + i / 7, "iscrowd": 0}
        for i in range(count)
    ]  # fmt: skip
    address.write_text(json.dumps(content))
    size = address.stat().st_size
    tracemalloc.start()
    found = data.load(str(address), Data(validation=0), wanted=wanted)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(wanted, peak / size)
    assert len(found.splits["train"].objects.boxes) == count and peak <= 6 * size
