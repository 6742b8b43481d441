"""COCO's scores against pycocotools, masks in pictures, and what a report of boxes says."""

import contextlib
import io
from types import SimpleNamespace

import numpy as np
import pytest
from pycocotools import mask as reference_masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from kcnn import data, evaluation
from kcnn.data.objects import Objects
from kcnn.evaluation.boxes import BoxTally, matches
from kcnn.evaluation.coco_scores import Answers, CocoScores
from kcnn.evaluation.instance_masks import pasted, run_lengths
from kcnn.recipe import Data

SIDE, CASES = 200, 200


def drawn(rng, count):
    low = rng.integers(0, 80, (count, 2))
    sides = rng.integers(1, 140 if rng.random() < 0.3 else 40, (count, 2))
    return np.concatenate([low, low + sides], 1).astype(np.float32)


def case(seed):
    """(objects, answers, classes, pictures): with crowds, ties, empty pictures, and now and then no answer at all."""
    rng = np.random.default_rng(seed)
    pictures, classes = rng.integers(1, 8), rng.integers(1, 4)
    boxes = [drawn(rng, rng.integers(0, 6)) for _ in range(pictures)]
    kinds = [rng.integers(0, classes, len(some)) for some in boxes]
    objects = Objects.of(boxes, kinds, [rng.random(len(some)) < 0.15 for some in boxes])
    rows = []
    for i in range(pictures):
        for box, kind in zip(boxes[i], kinds[i], strict=True):
            for _ in range(rng.integers(0, 3)):
                wrong = rng.random() < 0.2
                moved = box + rng.integers(-4, 5, 4)
                rows.append((i, *moved, round(rng.random(), 1), rng.integers(0, classes) if wrong else kind))
        rows += [(i, *box, round(rng.random(), 1), rng.integers(0, classes)) for box in drawn(rng, rng.integers(0, 3))]
    rows = np.array(rows if seed % 10 else [], float).reshape(-1, 7)
    rows[:, 3:5] = np.maximum(rows[:, 3:5], rows[:, 1:3] + 1)
    answers = Answers(rows[:, 0].astype(int), rows[:, 1:5], rows[:, 5], rows[:, 6].astype(int))
    return objects, answers, int(classes), int(pictures)


def reference(objects, answers, classes, pictures):
    """COCO's twelve numbers by pycocotools."""
    index = np.repeat(np.arange(pictures), objects.counts)
    annotations = [
        {"id": j + 1, "image_id": int(i), "category_id": int(kind), "area": float(area), "iscrowd": int(crowd),
         "bbox": [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()]}
        for j, (i, box, kind, crowd, area) in enumerate(
            zip(index, objects.boxes, objects.classes, objects.crowd, objects.areas, strict=True)
        )
    ]  # fmt: skip
    truth = COCO()
    with contextlib.redirect_stdout(io.StringIO()):
        truth.dataset = {
            "images": [{"id": i, "height": SIDE, "width": SIDE} for i in range(pictures)],
            "categories": [{"id": k, "name": str(k)} for k in range(classes)],
            "annotations": annotations,
        }
        truth.createIndex()
        if len(answers.index):
            size = answers.boxes[:, 2:] - answers.boxes[:, :2]
            said = truth.loadRes(
                np.column_stack([answers.index, answers.boxes[:, :2], size, answers.scores, answers.classes])
            )
        else:
            said = COCO()
            said.dataset = truth.dataset | {"annotations": []}
            said.createIndex()
        judge = COCOeval(truth, said, "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge.stats


def test_the_twelve_numbers_are_those_of_pycocotools():
    seen = 0
    for seed in range(CASES):
        objects, answers, classes, pictures = case(seed)
        found = CocoScores(objects, answers, classes, np.full((pictures, 2), SIDE)).numbers()
        assert len(found) == 12
        for value, wanted in zip(found.values(), reference(objects, answers, classes, pictures), strict=True):
            assert abs((-1 if value is None else value) - wanted) <= 1e-9
        seen += found["map"] is not None and 0.05 < found["map"] < 0.95
    assert seen > CASES / 3


def test_run_lengths_are_cocos():
    mask = np.random.default_rng(0).random((23, 31)) < 0.4
    assert run_lengths(mask) == reference_masks.encode(np.asfortranarray(mask.astype(np.uint8)))


def test_masks_of_a_box_lie_in_their_picture():
    whole = pasted(np.ones((28, 28)), np.array([3.0, 4.0, 13.0, 8.0]), (12, 20))
    assert whole[4:8, 3:13].all() and whole.sum() == 40
    half = np.zeros((28, 28))
    half[:, :14] = 1
    assert pasted(half, np.array([0.0, 0.0, 10.0, 10.0]), (12, 20))[:10, :10].sum() == pytest.approx(50, abs=10)
    assert pasted(half, np.array([15.0, 8.0, 25.0, 16.0]), (12, 20))[8:, 15:].any()  # beyond the edge
    assert not pasted(np.ones((28, 28)), np.array([5.0, 5.0, 5.0, 9.0]), (12, 20)).any()


def test_an_answer_finds_at_most_one_object_of_its_class():
    truth = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float32)
    said = np.array([[0, 0, 10, 9], [0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60]], np.float32)
    np.testing.assert_array_equal(matches(said, np.array([1, 1, 0, 1]), truth, np.array([1, 1])), [0, -1, -1, -1])


class Facts:
    class_names, input_shape, framing = ("cat", "dog"), (32, 32, 1), "pad"


def tally_of(boxes, scores, classes):
    """A `BoxTally` of two pictures of 64×64, the second one empty, seen at half their size, after one batch."""
    import tensorflow as tf

    objects = Objects.of([[[8, 8, 24, 24], [40, 40, 60, 60]], np.zeros((0, 4))], [[0, 1], []])
    images, names = data.Arrays(np.zeros((2, 64, 64, 1), np.uint8)), np.array(["full", "empty"])
    tally = BoxTally(data.Samples(images, objects.occurring(2), names, objects=objects), Facts)
    answers = {"boxes": np.float32(boxes), "scores": np.float32(scores), "classes": np.int32(classes)}
    answers = {key: tf.constant(np.concatenate([part, part[:1]])) for key, part in answers.items()}
    tally.add({"index": tf.constant([0, 1, -1], tf.int64)}, answers)
    return tally, names


def test_figures_of_a_perfect_and_of_a_poor_answer():
    perfect = [[[4, 4, 12, 12], [20, 20, 30, 30]], [[0, 0, 0, 0], [0, 0, 0, 0]]]
    tally, names = tally_of(perfect, [[0.9, 0.8], [0, 0]], [[0, 1], [-1, -1]])
    figures = tally.figures(names)
    assert figures["map"] == pytest.approx(1) and figures["map50"] == pytest.approx(1)
    assert figures["objects"] == 2 and figures["samples"] == 2
    assert 0.01 < figures["threshold"]["score"] <= 0.8 and figures["threshold"]["f1"] == pytest.approx(1)
    assert figures["confusion"] == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert tally.headline() == pytest.approx({"map": 1.0, "map50": 1.0})
    poor, names = tally_of(perfect, [[0.9, 0.8], [0.7, 0]], [[1, 1], [0, -1]])
    figures = poor.figures(names)
    assert figures["per_class"][0]["map50"] == 0 and 0 < figures["map50"] < 1
    assert figures["shown"]["worst"][0]["name"] == "empty" or figures["shown"]["best"][0]["name"] == "full"


def test_answers_that_are_all_sure_are_still_reached():
    perfect = [[[4, 4, 12, 12], [20, 20, 30, 30]], [[0, 0, 0, 0], [0, 0, 0, 0]]]
    threshold = tally_of(perfect, [[1.0, 0.99996], [0, 0]], [[0, 1], [-1, -1]])[0].figures()["threshold"]
    assert threshold["score"] < 0.9999 and threshold["f1"] == pytest.approx(1)


def test_masks_are_judged_where_no_object_was_found():
    import tensorflow as tf

    samples = data.load("builtin:digit-scenes", Data(), wanted="outlines").splits["val"].take(np.arange(2))
    facts = SimpleNamespace(class_names=list("0123456789"), input_shape=(96, 96, 1), framing="pad")
    tally = BoxTally(samples, facts)
    none = {"boxes": np.zeros((2, 3, 4)), "scores": np.zeros((2, 3)), "masks": np.zeros((2, 3, 28, 28))}
    none = {key: tf.constant(np.float32(value)) for key, value in none.items()} | {
        "classes": -tf.ones((2, 3), tf.int32)
    }
    tally.add({"index": tf.constant([0, 1], tf.int64)}, none)
    assert tally.headline() == {"map": 0, "map50": 0, "mask_map": 0, "mask_map50": 0}


def test_a_mask_keeps_its_form_where_its_box_reaches_beyond_the_picture():
    import tensorflow as tf

    cut, uncut = data.in_pictures(np.float32([[[-8, 8, 8, 24]]]), np.array([[64, 64]]), (32, 32, 1), "pad")
    np.testing.assert_allclose(tf.concat([cut, uncut], 0)[:, 0], [[0, 16, 16, 48], [-16, 16, 16, 48]])
    half = np.zeros((28, 28))
    half[:, :14] = 1  # all that is seen of it is in its right half, which is empty
    assert not pasted(half, uncut.numpy()[0, 0], (64, 64)).any() and pasted(half, cut.numpy()[0, 0], (64, 64)).any()


def test_the_report_of_boxes_is_drawn_and_says_what_was_found(tmp_path):
    boxes = [[[4, 4, 12, 12], [20, 20, 30, 30]], [[0, 0, 0, 0], [0, 0, 0, 0]]]
    tally, names = tally_of(boxes, [[0.9, 0.8], [0, 0]], [[0, 1], [-1, -1]])
    figures = tally.figures(names)
    shown = sum(map(len, figures["shown"].values()))
    one = {"boxes": np.float32(boxes[0]), "classes": np.array([0, 1]), "scores": np.float32([0.9, 0.8])}
    pictures = {"picture": np.zeros((shown, 32, 32, 1), np.uint8), "truth": [one] * shown, "answer": [one] * shown}
    path = evaluation.write_report(
        tmp_path, {"val": figures}, title="run", metric="map", pictures={"val": pictures},
        history=[{"epoch": 1, "loss": 2.0, "val_loss": 2.5, "val_map": 0.5, "learning_rate": 1e-3}],
    )  # fmt: skip
    text = path.read_text("utf-8")
    for words in ("1.0000 mAP", "mAP50", "best mean F1", "Precision over recall", "2 objects", "background"):
        assert words in text
    assert {"1-classes.png", "1-curve.png", "1-confusion.png", "curves.png"} <= {
        file.name for file in tmp_path.iterdir()
    }
