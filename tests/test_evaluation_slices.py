"""Slices and baselines: which groups are made, which are called weak, and what a score is compared with."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from kcnn.evaluation import baselines
from kcnn.evaluation.slices import column_groups, picture_groups, slices
from tests.test_evaluation_figures import random_case


def test_columns_of_few_values_and_of_numbers_make_slices():
    n = 60
    columns = {
        "camera": np.array([["old", "new", ""][i % 3] for i in range(n)], object),
        "one": np.array(["same"] * n, object),
        "file": np.array([f"name {i}" for i in range(n)], object),
        "age": np.array([str(i / 2) for i in range(n - 1)] + [""], object),
        "grade": np.array([str([10, 9, 2][i % 3]) for i in range(n)], object),
        "fold": np.array([str(i % 2) for i in range(n)], object),
    }
    groups = column_groups(columns, leave_out=("fold", None))
    assert set(groups) == {"camera", "age", "grade"}
    assert [value for value, _ in groups["camera"]] == ["(empty)", "new", "old"]
    assert [value for value, _ in groups["grade"]] == ["2", "9", "10"]
    assert [value for value, _ in groups["age"]] == ["0 to 7", "7.5 to 14.5", "15 to 21.5", "22 to 29"]
    assert sum(mask.sum() for _, mask in groups["age"]) == n - 1, "an empty cell is in no quarter"


def test_pictures_make_slices_of_size_shape_and_brightness():
    headers = np.array([[1, 10 + i, 20 + 2 * i, 3, 1] for i in range(20)], np.int32)
    headers[:10, 4] = 6  # lying on their side: height and width are swapped
    groups = picture_groups(headers, np.arange(20.0))
    sides, shapes, light = (dict(groups[name]) for name in groups)
    assert list(shapes) == ["0.5", "2"] and shapes["0.5"][:10].all() and not shapes["0.5"][10:].any()
    assert list(sides) == ["10 to 14", "15 to 19", "20 to 24", "25 to 29"] and len(light) == 4
    assert picture_groups(np.tile(headers[:1], (5, 1)), None) == {}
    assert picture_groups(None, np.full(5, 7.0)) == {}


def test_a_weak_slice_is_named_and_a_small_one_is_not(rng):
    right = rng.random(400) < 0.95
    bad, few = np.arange(400) < 60, np.arange(400) >= 395
    right[bad], right[few] = rng.random(60) < 0.6, False
    rows = slices(right, np.ones(400), {"camera": [("bad", bad), ("good", ~bad)], "place": [("few", few)]})
    assert [(row["value"], row["weak"], row["small"]) for row in rows] == [
        ("bad", True, False), ("good", False, False), ("few", False, True),
    ]  # fmt: skip
    assert rows[0]["accuracy"] == pytest.approx(right[bad].mean()) and rows[0]["samples"] == 60
    weightless = slices(right, np.where(bad, 0.0, 1.0), {"camera": [("bad", bad)]})
    assert weightless[0]["accuracy"] is None and weightless[0]["small"]


def test_even_slices_are_hardly_ever_called_weak(rng):
    weak = 0
    for _ in range(300):
        parts = rng.integers(0, 4, 200)
        groups = {"by": [(str(k), parts == k) for k in range(4)]}
        weak += sum(row["weak"] for row in slices(rng.random(200) < 0.85, np.ones(200), groups))
    assert weak <= 0.01 * 300 * 4


@pytest.mark.parametrize("weighted", [False, True])
def test_majority_is_the_dummy_classifier(rng, weighted):
    p, train = random_case(rng, weighted=weighted), rng.integers(0, 3, 100)
    expected = DummyClassifier(strategy="most_frequent").fit(np.zeros((100, 1)), train)
    got = baselines.majority(p, np.bincount(train, minlength=7), 100)
    assert got["accuracy"] == pytest.approx(expected.score(np.zeros((300, 1)), p.labels, p.weights))
    assert got["interval"][0] < got["accuracy"] < got["interval"][1]
    several = random_case(rng, multi_label=True, weighted=weighted)
    counts = np.array([90, 60, 40, 0, 10, 20, 30])
    truth = several.labels > 0.5
    expected = np.average((truth == (counts > 50)).mean(1), weights=several.weights)
    got = baselines.majority(several, counts, 100)
    assert got["accuracy"] == pytest.approx(expected) and got["answer"] == [0, 1]


def test_the_probe_is_a_logistic_regression_on_scaled_pixels(rng):
    labels = rng.integers(0, 3, 300)
    images = rng.integers(0, 60, (300, 6, 6, 1)).astype(np.uint8)
    images[np.arange(300), labels, 2, 0] += 40
    probe = baselines.fit_probe(images[:200], labels[:200])
    got = probe.score(images[200:], labels[200:], np.ones(100))
    values = images.reshape(300, -1).astype(np.float64)
    scaled = (values - values[:200].mean(0)) / values[:200].std(0)
    reference = LogisticRegression(max_iter=1000).fit(scaled[:200], labels[:200])
    assert got["accuracy"] == pytest.approx(reference.score(scaled[200:], labels[200:]), abs=0.02)
    assert got["accuracy"] > 0.5 and got["converged"] and (got["values"], got["trained_on"]) == (36, 200)


def test_the_probe_answers_several_labels_and_signals(rng):
    signals = rng.normal(size=(120, 2000, 2)).astype(np.float32)
    labels = (np.stack([signals[:, 0, 0], signals[:, -1, 1]], 1) > 0).astype(np.float32)
    got = baselines.fit_probe(signals, labels).score(signals, labels, np.ones(120))
    assert got["values"] == 1024 and got["accuracy"] > 0.9


def test_the_probe_is_bounded_and_repeatable(monkeypatch):
    places = baselines.some(1_000_000, seed=3)
    assert len(places) == 5000 and (np.diff(places) > 0).all()
    np.testing.assert_array_equal(places, baselines.some(1_000_000, seed=3))
    np.testing.assert_array_equal(baselines.some(7), np.arange(7))
    images, labels = load_digits(return_X_y=True)
    assert baselines.fit_probe(images, labels).converged
    monkeypatch.setattr(baselines, "MOST_WORK", 7 * images.size * 10)
    probe = baselines.fit_probe(images, labels)
    assert not probe.converged and probe.model.n_iter_.max() == 7
    with pytest.raises(ValueError):
        baselines.fit_probe(np.zeros((4, 2, 2, 1)), np.zeros(4, int))
