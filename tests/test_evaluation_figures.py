"""Are the figures of the report right? Checked against scikit-learn, and by hand where it says little."""

import json

import numpy as np
import pytest
from sklearn import metrics as reference

from kcnn.evaluation.classification import measure
from kcnn.evaluation.predictions import Predictions, as_answered


def random_case(rng, n=300, k=7, multi_label=False, weighted=False):
    raw = rng.normal(size=(n, k))
    labels = rng.integers(0, k, n).astype(np.int32)
    raw[np.arange(n), labels] += 1.2
    scores = np.exp(raw) / np.exp(raw).sum(1, keepdims=True)
    if multi_label:
        labels = (rng.random((n, k)) < 0.3).astype(np.float32)
        scores = 1 / (1 + np.exp(-raw - 2 * labels + 1))
    weights = (rng.random(n) if weighted else np.ones(n)).astype(np.float32)
    return Predictions(scores.astype(np.float32), labels, weights, np.arange(n))


@pytest.mark.parametrize("weighted", [False, True])
def test_single_label_figures_equal_scikit_learn(rng, weighted):
    p, names = random_case(rng, weighted=weighted), list("abcdefg")
    got, guess, w = measure(p, names), p.scores.argmax(1), p.weights
    assert got["accuracy"] == pytest.approx(reference.accuracy_score(p.labels, guess, sample_weight=w), abs=1e-6)
    top5 = reference.top_k_accuracy_score(p.labels, p.scores, k=5, sample_weight=w, labels=range(7))
    assert got["top5"] == pytest.approx(top5, abs=1e-6)
    log_loss = reference.log_loss(p.labels, p.scores, sample_weight=w, labels=range(7))
    assert got["log_loss"] == pytest.approx(log_loss, abs=1e-5)
    assert got["macro_f1"] == pytest.approx(
        reference.f1_score(p.labels, guess, average="macro", sample_weight=w), abs=1e-6
    )
    np.testing.assert_array_equal(got["confusion"], reference.confusion_matrix(p.labels, guess))
    recall = reference.recall_score(p.labels, guess, average=None, sample_weight=w)
    np.testing.assert_allclose([row["recall"] for row in got["per_class"]], recall, atol=1e-6)
    assert [row["support"] for row in got["per_class"]] == np.bincount(p.labels).tolist()


@pytest.mark.parametrize("weighted", [False, True])
def test_multi_label_figures_equal_scikit_learn(rng, weighted):
    p, names = random_case(rng, multi_label=True, weighted=weighted), list("abcdefg")
    got, w = measure(p, names), p.weights
    truth, guess = p.labels > 0.5, p.scores > 0.5
    assert got["exact_match"] == pytest.approx(reference.accuracy_score(truth, guess, sample_weight=w), abs=1e-6)
    assert got["accuracy"] == pytest.approx(np.average((truth == guess).mean(1), weights=w), abs=1e-6)
    mean = reference.average_precision_score(truth, p.scores, average="macro", sample_weight=w)
    assert got["mean_average_precision"] == pytest.approx(mean, abs=1e-6)
    losses = [reference.log_loss(truth[:, k], p.scores[:, k].astype(float), sample_weight=w) for k in range(7)]
    assert got["log_loss"] == pytest.approx(np.mean(losses), abs=1e-5)


def test_mistakes_are_ordered_by_loss_and_named(rng):
    scores = np.array([[0.9, 0.1, 0], [0.2, 0.7, 0.1], [0.05, 0.05, 0.9], [0.6, 0.4, 0]], np.float32)
    p = Predictions(scores, np.array([0, 0, 1, 1], np.int32), np.ones(4, np.float32), np.array([3, 2, 1, 0]))
    got = measure(p, ["ant", "bee", "cow"], names=["w.png", "x.png", "y.png", "z.png"])
    assert [(w["name"], w["true"], w["predicted"]) for w in got["worst"]] == [
        ("x.png", "bee", "cow"),
        ("y.png", "ant", "bee"),
        ("w.png", "bee", "ant"),
    ]
    assert got["worst"][0]["loss"] == pytest.approx(-np.log(0.05))
    first = {"true": "ant", "predicted": "bee", "count": 1, "share": 0.5}
    assert got["most_confused"][0] == first | {"example": {"index": 2, "name": "y.png"}, "lookalike": None}
    assert got["mistakes"] == 3 and got["accuracy"] == 0.25 and "top5" not in got


def test_what_is_not_defined_is_none_and_json_takes_it(rng):
    p = Predictions(
        np.eye(3, dtype=np.float32)[[0, 0]], np.array([0, 1], np.int32), np.ones(2, np.float32), np.arange(2)
    )
    got = measure(p, ["a", "b", "never"])
    never, missed = got["per_class"][2], got["per_class"][1]
    assert (never["precision"], never["recall"], never["f1"], never["support"]) == (None, None, None, 0)
    assert (missed["precision"], missed["recall"], missed["f1"]) == (None, 0.0, 0.0)
    json.dumps(got, allow_nan=False)
    labels = np.array([[1, 0], [1, 0]], np.float32)
    multi = measure(Predictions(labels * 0.9, labels, np.ones(2, np.float32), np.arange(2)), ["a", "never"])
    assert multi["per_class"][1]["average_precision"] is None and multi["mean_average_precision"] == 1.0
    json.dumps(multi, allow_nan=False)


def test_labels_given_in_place_of_others_are_counted():
    scores = np.array([[0.1, 0.9, 0.2], [0.2, 0.8, 0.9], [0.9, 0.1, 0.1]], np.float32)
    labels = np.array([[1, 0, 0], [1, 0, 1], [1, 0, 0]], np.float32)
    p = Predictions(scores, labels, np.ones(3, np.float32), np.arange(3))
    (pair,) = measure(p, ["ant", "bee", "cow"], names=["x.png", "y.png", "z.png"])["most_confused"]
    example = {"index": 0, "name": "x.png"}
    assert pair == {"true": "ant", "predicted": "bee", "count": 2, "share": pytest.approx(2 / 3), "example": example,
                    "lookalike": None}  # fmt: skip


def test_soft_labels_of_a_single_label_head_are_their_largest_share():
    soft = np.array([[0.2, 0.8], [0.6, 0.4]], np.float32)
    np.testing.assert_array_equal(as_answered(soft, False, 2), [1, 0])
    np.testing.assert_array_equal(as_answered(soft, True, 2), soft)
    np.testing.assert_array_equal(as_answered(np.array([1, 0]), True, 3), [[0, 1, 0], [1, 0, 0]])
