"""ECE and temperature against an independent version, with loops and scipy's minimiser."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax

from kcnn.evaluation.calibration import calibration, expected_error, fit_temperature
from kcnn.evaluation.predictions import Predictions
from tests.test_evaluation_figures import random_case


def loop_error(score, right, weight, bins=15):
    """ECE as its definition reads: |mean score - share right| over bins (low, high], weighted."""
    total = 0.0
    for b in range(bins):
        low, high = b / bins, (b + 1) / bins
        inside = [i for i in range(len(score)) if low < score[i] <= high or (b == 0 and score[i] == 0)]
        if inside:
            w = weight[inside]
            gap = abs(np.average(score[inside], weights=w) - np.average(right[inside], weights=w))
            total += gap * w.sum() / weight.sum()
    return total


@pytest.mark.parametrize("weighted", [False, True])
def test_error_equals_its_definition(rng, weighted):
    p = random_case(rng, n=2500, weighted=weighted)
    score, right = p.scores.max(1).astype(float), p.scores.argmax(1) == p.labels
    error, rows = expected_error(p)
    assert error == pytest.approx(loop_error(score, right, p.weights.astype(float)), abs=1e-6)
    assert sum(row[2] for row in rows) == pytest.approx(1, abs=1e-4)
    assert all(row[3] <= row[1] <= row[4] for row in rows)


def test_error_of_several_labels_counts_every_label(rng):
    p = random_case(rng, n=400, multi_label=True, weighted=True)
    weight = np.repeat(p.weights.astype(float), 7)
    expected = loop_error(p.scores.ravel().astype(float), p.labels.ravel() > 0.5, weight)
    assert expected_error(p)[0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_temperature_is_scipys(rng, weighted):
    p = random_case(rng, n=1500, weighted=weighted)
    sharp = Predictions(softmax(3 * np.log(p.scores), axis=1).astype(np.float32), p.labels, p.weights, p.index)
    logits = np.log(sharp.scores.astype(float))

    doubt = 1 / (p.weights.sum() ** 2 / (p.weights**2).sum() + 2)

    def loss(temperature, doubt=doubt):
        chances = np.full(logits.shape, doubt / (logits.shape[1] - 1))
        chances[np.arange(len(p)), p.labels] = 1 - doubt
        each = -(chances * log_softmax(logits / temperature, axis=1)).sum(1)
        return np.average(each, weights=p.weights)

    best = minimize_scalar(loss, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-7})
    got = fit_temperature(sharp)
    assert got == pytest.approx(best.x, rel=1e-4) and got > 1.5
    found = calibration(sharp, got, "val")
    assert found["log_loss_after"] == pytest.approx(loss(got, doubt=0), abs=1e-6)
    scaled = softmax(logits / got, axis=1)
    expected = loop_error(scaled.max(1), scaled.argmax(1) == p.labels, p.weights.astype(float))
    assert found["ece_after"] == pytest.approx(expected, abs=1e-6) and found["ece_after"] < found["ece"] / 2


def test_temperature_of_several_labels_is_scipys(rng):
    p = random_case(rng, n=800, multi_label=True)
    logits = np.log(p.scores.astype(float)) - np.log1p(-p.scores.astype(float))

    believed = np.where(p.labels > 0.5, 801 / 802, 1 / 802)

    def loss(temperature):
        return np.mean(np.logaddexp(0, logits / temperature) - believed * logits / temperature)

    best = minimize_scalar(loss, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-7})
    got = fit_temperature(p)
    assert got == pytest.approx(best.x, rel=1e-3)
    expected = loop_error(expit(logits / got).ravel(), p.labels.ravel() > 0.5, np.ones(p.labels.size))
    assert calibration(p, got)["ece_after"] == pytest.approx(expected, abs=1e-4)


def test_a_known_temperature_is_found(rng):
    labels = rng.integers(0, 4, 20_000)
    logits = rng.normal(0, 2, (20_000, 4))
    chances = softmax(logits, axis=1)
    labels = (chances.cumsum(1) < rng.random((20_000, 1))).sum(1).clip(0, 3).astype(np.int32)
    for temperature in (0.4, 1.0, 2.5):
        scores = softmax(logits * temperature, axis=1).astype(np.float32)
        p = Predictions(scores, labels, np.ones(20_000, np.float32), np.arange(20_000))
        assert fit_temperature(p) == pytest.approx(temperature, rel=0.05)
        assert expected_error(p, fit_temperature(p))[0] < 0.012


def test_the_ends_are_bounds_and_nothing_breaks_there():
    labels = np.array([0, 1, 0, 1], np.int32)
    sure = np.log(9) / np.log(5)  # of 4 right answers of 4, the next is believed to 5/6
    for scores, end in ((np.eye(2)[labels] * 0.8 + 0.1, sure), (np.eye(2)[1 - labels], 20.0)):
        p = Predictions(scores.astype(np.float32), labels, np.ones(4, np.float32), np.arange(4))
        assert fit_temperature(p) == pytest.approx(end, rel=1e-3)
        assert np.isfinite(calibration(p, fit_temperature(p))["log_loss_after"])
    p = Predictions(p.scores, labels, np.zeros(4, np.float32), np.arange(4))
    assert fit_temperature(p) is None and calibration(p)["ece"] is None
