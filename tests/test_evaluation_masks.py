"""Are the figures of masks right? Against a slow reference of plain loops, scikit-learn, and what must not matter."""

import json
import math
import tracemalloc
from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy.ndimage import distance_transform_edt
from sklearn.metrics import jaccard_score

from kcnn.evaluation.boundaries import boundary_f
from kcnn.evaluation.masks import MaskTally, shown_pictures, shown_places, tally_masks
from kcnn.masks import IGNORE

NAMES = ["ground", "ant", "bee", "never"]
SHAPES = [(17,), (20, 14), (5, 6, 7)]


def random_masks(rng, n, shape, classes=3, grain=3):
    """Masks of blocks rather than single places; class 3 never occurs, picture 0 is empty, picture 1 not judged."""
    coarse = [-(-side // grain) for side in shape]

    def drawn():
        masks = rng.integers(0, classes, (n, *coarse)).astype(np.uint8)
        for axis in range(1, masks.ndim):
            masks = masks.repeat(grain, axis)
        return masks[(slice(None), *(slice(0, side) for side in shape))].copy()

    truth, guess = drawn(), drawn()
    guess = np.where(rng.random(guess.shape) < 0.6, truth, guess)
    truth[rng.random(truth.shape) < 0.1] = IGNORE
    truth[0], truth[1] = 0, IGNORE
    return truth, guess


def slow(truth, guess, weights, classes):
    """The figures by loops over places, and the mean IoU of each picture."""
    sums, per_picture, f_sums = np.zeros((3, classes)), [], np.zeros((2, classes))
    for t, g, w in zip(truth, guess, weights, strict=True):
        own = np.zeros((3, classes))
        for place in np.ndindex(t.shape):
            if t[place] != IGNORE:
                own[0, t[place]] += t[place] == g[place]
                own[1, t[place]] += 1
                own[2, g[place]] += 1
        ious = [h / (a + b - h) for h, a, b in own.T if a + b > 0]
        per_picture.append(np.mean(ious) if ious else math.nan)
        sums += w * own
        for k in range(classes):
            f = slow_boundary(t, g, k) if t.ndim == 2 else None
            if f is not None:
                f_sums[:, k] += w * f, w
    rows = []
    for k in range(classes):
        h, a, b = sums[:, k]
        values = {"iou": (h, a + b - h), "dice": (2 * h, a + b), "precision": (h, b), "recall": (h, a)}
        rows.append({key: x / y if y else None for key, (x, y) in values.items()})
        rows[-1]["boundary_f"] = f_sums[0, k] / f_sums[1, k] if f_sums[1, k] else None
    return {"pixel_accuracy": sums[0].sum() / sums[1].sum(), "per_class": rows}, per_picture


def slow_boundary(truth, guess, k):
    """F of the border of class k by the definition: any two places are compared."""
    if (truth == IGNORE).all():
        return None
    distance, (rows, columns) = distance_transform_edt(truth == IGNORE, return_indices=True)
    lines = []
    for mask in (truth[rows, columns], guess[rows, columns]):
        places = []
        for y, x in np.argwhere((mask == k) & (distance <= 5)):
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= v < mask.shape[0] and 0 <= u < mask.shape[1] and mask[v, u] != k:
                    places.append((y, x))
                    break
        lines.append(places)
    if not lines[0] and not lines[1]:
        return None
    reach = max(1.0, 0.0075 * math.hypot(*truth.shape))
    near = [[any(math.dist(p, q) <= reach for q in other) for p in one] for one, other in (lines, lines[::-1])]
    if not all(lines) or not any(near[0]):
        return 0.0
    recall, precision = (np.mean(part) for part in near)
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_figures_equal_a_slow_reference(rng, shape, weighted):
    truth, guess = random_masks(rng, 9, shape)
    weights = rng.random(9) if weighted else np.ones(9)
    tally = MaskTally(NAMES)
    tally.add(truth, guess, np.arange(9), weights)
    got = tally.figures()
    expected, per_picture = slow(truth, guess, weights, 4)
    assert got["pixel_accuracy"] == pytest.approx(expected["pixel_accuracy"], abs=1e-12)
    keys = ("iou", "dice", "precision", "recall", "boundary_f")
    for row, right in zip(got["per_class"], expected["per_class"], strict=True):
        assert {key: row[key] for key in keys} == {
            k: v if v is None else pytest.approx(v, abs=1e-12) for k, v in right.items()
        }
    for mean, key in (("mean_iou", "iou"), ("mean_dice", "dice"), ("boundary_f", "boundary_f")):
        there = [row[key] for row in expected["per_class"] if row[key] is not None]
        assert got[mean] == (pytest.approx(np.mean(there), abs=1e-12) if there else None)
    assert (got["boundary_f"] is None) == (len(shape) != 2)
    np.testing.assert_allclose(tally.pictures()[1], per_picture, atol=1e-12)
    assert got["per_class"][3]["iou"] is None and got["per_class"][3]["intervals"]["iou"] is None
    assert [row["pixels"] for row in got["per_class"]] == [int((truth == k).sum()) for k in range(4)]
    assert [row["pictures"] for row in got["per_class"]] == [sum((t == k).any() for t in truth) for k in range(4)]
    assert got["pixels"] == (truth != IGNORE).sum() and got["samples"] == 9
    json.dumps(got, allow_nan=False)


@pytest.mark.parametrize("shape", [(300, 20), (12, 300)], ids=str)
def test_a_wide_tolerance_equals_the_slow_reference(rng, shape):
    truth, guess = random_masks(rng, 3, shape, grain=9)
    for t, g in zip(truth, guess, strict=True):
        g = g[::-1] if rng.random() < 0.5 else g
        right = [np.nan if f is None else f for f in (slow_boundary(t, g, k) for k in range(4))]
        np.testing.assert_allclose(boundary_f(t, g, 4), right, atol=1e-12)


def test_jaccard_and_confusion_equal_scikit_learn(rng):
    from sklearn.metrics import confusion_matrix

    truth, guess = random_masks(rng, 6, (16, 16))
    tally = MaskTally(NAMES[:3])
    tally.add(truth, guess, np.arange(6), np.ones(6))
    judged, got = truth != IGNORE, tally.figures()
    expected = jaccard_score(truth[judged], guess[judged], average=None)
    np.testing.assert_allclose([row["iou"] for row in got["per_class"]], expected, atol=1e-12)
    assert got["mean_iou"] == pytest.approx(jaccard_score(truth[judged], guess[judged], average="macro"), abs=1e-12)
    np.testing.assert_array_equal(got["confusion"], confusion_matrix(truth[judged], guess[judged]))


@pytest.mark.parametrize("size", [(300, 200), (33, 41)], ids=str)
def test_a_shifted_outline_is_right_up_to_the_tolerance(size):
    reach = int(max(1, 0.0075 * math.hypot(*size)))
    truth = np.zeros(size, np.uint8)
    truth[8:20, 8:20] = 1
    for shift, share in ((0, 1), (reach, 1), (reach + 1, 0)):
        guess = np.zeros(size, np.uint8)
        guess[8 + shift : 20 + shift, 8:20] = 1
        f = boundary_f(truth, guess, 3)
        assert np.isnan(f[2]) and ((f[:2] == 1).all() if share else (f[:2] < 0.95).all())


def test_things_in_a_ring_that_is_not_judged_have_borders_in_it():
    whole = np.zeros((60, 60), np.uint8)
    whole[20:40, 20:40] = 1
    truth = whole.copy()
    truth[18:42, 18:42] = IGNORE
    truth[22:38, 22:38] = 1
    assert (boundary_f(truth, whole, 2) == 1).all()
    assert (boundary_f(truth, np.zeros_like(whole), 2) == 0).all(), "the thing is missed"
    larger = np.zeros_like(whole)
    larger[10:50, 10:50] = 1
    assert (boundary_f(truth, larger, 2) == 0).all()
    truth[:, 50:] = IGNORE  # a margin, far from which nothing is a border
    assert (boundary_f(truth, whole, 2) == 1).all()


def test_neither_order_nor_batch_size_nor_padding_changes_anything(rng):
    truth, guess = random_masks(rng, 12, (12, 12))
    weights = np.ones(12)
    whole, parts = MaskTally(NAMES, seed=3), MaskTally(NAMES, seed=3)
    whole.add(truth, guess, np.arange(12), weights)
    order = rng.permutation(12)
    for rows in (order[:5], order[5:6], order[6:]):
        padding = np.append(rows, [0, 1])
        index = np.append(rows, [-1, -1])
        parts.add(truth[padding], guess[padding], index, np.append(weights[rows], [0, 0]))
    parts.add(truth[:0], guess[:0], np.zeros(0, int), np.zeros(0))
    a, b = whole.figures(), parts.figures()
    assert a["confusion"] == b["confusion"] and a["shown"] == b["shown"] and a["samples"] == b["samples"]
    for key in ("mean_iou", "mean_dice", "pixel_accuracy", "boundary_f"):
        assert a[key] == pytest.approx(b[key], abs=1e-13)
        np.testing.assert_allclose(a["intervals"][key], b["intervals"][key], atol=1e-12)
    assert a["intervals"] != MaskTally.figures(_added(MaskTally(NAMES, seed=4), truth, guess))["intervals"]


def _added(tally, truth, guess):
    tally.add(truth, guess, np.arange(len(truth)), np.ones(len(truth)))
    return tally


def test_intervals_are_those_of_a_plain_bootstrap(rng):
    truth, guess = random_masks(rng, 150, (8, 8))
    got = _added(MaskTally(NAMES), truth, guess).figures()["intervals"]["mean_iou"]
    judged = truth != IGNORE
    hits, union = (
        np.stack([(both(truth == k, guess == k) & judged).sum((1, 2)) for k in range(3)], 1)
        for both in (np.logical_and, np.logical_or)
    )
    means = [(hits[rows].sum(0) / union[rows].sum(0)).mean() for rows in rng.integers(0, 150, (400, 150))]
    low, high = np.quantile(means, [0.025, 0.975])
    assert got[0] < got[1] and abs(got[1] - got[0]) == pytest.approx(high - low, rel=0.3)
    assert sum(got) / 2 == pytest.approx((low + high) / 2, abs=0.3 * (high - low))


def test_nothing_judged_and_nothing_seen_are_none():
    for n in (0, 2):
        truth = np.full((n, 4, 4), IGNORE, np.uint8)
        got = _added(MaskTally(["a", "b"]), truth, truth * 0).figures()
        assert got["mean_iou"] is None and got["pixel_accuracy"] is None and got["intervals"]["mean_iou"] is None
        assert got["shown"] == {"best": [], "typical": [], "worst": []} and got["samples"] == n
        json.dumps(got, allow_nan=False)
    sure = _added(MaskTally(["a", "b"]), np.eye(4, dtype=np.uint8)[None], np.eye(4, dtype=np.uint8)[None]).figures()
    assert sure["mean_iou"] == 1 and sure["intervals"]["mean_iou"][1] == 1 > sure["intervals"]["mean_iou"][0] > 0


def test_best_typical_and_worst_are_shown_once_each():
    truth, guess = np.zeros((20, 10, 10), np.uint8), np.zeros((20, 10, 10), np.uint8)
    for i in range(20):
        guess[i].flat[: 3 * i] = 1
    tally = _added(MaskTally(["a", "b"]), truth, guess)
    got = tally.figures([f"{i}.png" for i in range(20)])
    places = {kind: [row["index"] for row in rows] for kind, rows in got["shown"].items()}
    assert places["best"] == [0, 1, 2, 3] and places["worst"] == [19, 18, 17, 16]
    assert sorted(places["typical"]) == [8, 9, 10, 11]
    assert got["shown"]["best"][0] == {"index": 0, "name": "0.png", "mean_iou": 1.0}
    assert shown_places(got).tolist() == places["best"] + places["typical"] + places["worst"]
    few = _added(MaskTally(["a", "b"]), truth[:2], guess[:2]).figures()["shown"]
    assert [row["index"] for kind in few.values() for row in kind] == [0, 1]


def test_many_classes_have_no_matrix(rng):
    truth = rng.integers(0, 255, (2, 30, 30)).astype(np.uint8)
    got = _added(MaskTally([str(k) for k in range(255)]), truth, truth).figures()
    assert got["confusion"] is None and got["mean_iou"] == 1


def test_memory_does_not_grow_with_the_pictures(rng):
    truth, guess = random_masks(rng, 4, (48, 48))
    tally = MaskTally(NAMES)

    def added(times):
        for _ in range(times):
            tally.add(truth, guess, np.arange(4), np.ones(4))
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before, after = added(10), added(50)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert after - before < 200 * 500 and peak - before < 1e6


@dataclass(frozen=True)
class Painter:
    """The least head of masks."""

    num_classes: int

    def decode(self, outputs):
        return {"mask": ops.cast(ops.argmax(outputs, -1), "uint8"), "scores": ops.softmax(outputs)}


def batches_of(images, masks, size):
    """Batches as those of data: the last one is filled up with rows of index -1 and no weight."""
    for start in range(0, len(images), size):
        rows = np.arange(start, start + size)
        there = rows < len(images)
        rows = np.where(there, rows, 0)
        yield {"image": tf.constant(images[rows]), "mask": tf.constant(masks[rows]),
               "weight": tf.constant(there, tf.float32), "index": tf.constant(np.where(there, rows, -1))}  # fmt: skip


def test_a_model_is_measured_and_shown_in_one_pass(rng):
    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Conv2D(3, 1)(image))
    images, (masks, _) = rng.integers(0, 256, (5, 9, 11, 3)).astype(np.uint8), random_masks(rng, 5, (9, 11))
    names = [f"{i}.png" for i in range(5)]
    figures = [
        tally_masks(model, Painter(3), batches_of(images, masks, size), NAMES[:3]).figures(names) for size in (2, 5)
    ]
    guess = np.argmax(model.predict(images.astype(np.float32), verbose=0), -1)
    judged = masks != IGNORE
    assert figures[0]["pixel_accuracy"] == pytest.approx((guess == masks)[judged].mean(), abs=1e-12)
    assert figures[0]["confusion"] == figures[1]["confusion"] and figures[0]["samples"] == 5
    places = shown_places(figures[0])
    shown = shown_pictures(model, Painter(3), batches_of(images[places], masks[places], 2))
    np.testing.assert_array_equal(shown["picture"], images[places])
    np.testing.assert_array_equal(shown["answer"], guess[places])
    np.testing.assert_array_equal(shown["truth"], masks[places])
