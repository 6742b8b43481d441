"""Do the 95 % intervals hold what they promise? On simulated test sets of a world whose truth is known."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as reference

from kcnn.evaluation import intervals
from kcnn.evaluation.classification import losses, measure
from kcnn.evaluation.pairing import difference, mcnemar
from kcnn.evaluation.predictions import Predictions
from kcnn.evaluation.stored import Stored

SETS = 200


def world(rng, number, classes, skill, chances=None, weighted=False):
    """`Predictions` of a model on `number` new samples: logits are noise, raised by `skill` at the true class."""
    labels, logits = rng.choice(classes, number, p=chances), rng.normal(size=(number, classes))
    logits[np.arange(number), labels] += skill
    scores = np.exp(logits)
    weights = rng.integers(1, 4, number) if weighted else np.ones(number)
    scores = (scores / scores.sum(1, keepdims=True)).astype(np.float32)
    return Predictions(scores, labels.astype(np.int32), weights.astype(np.float32), np.arange(number))


def coverage(number, classes, skill, chances=None, weighted=False):
    """{figure: share of SETS simulated test sets whose interval holds the truth}."""
    rng, names = np.random.default_rng(0), [str(k) for k in range(classes)]
    truth = measure(world(rng, 200_000, classes, skill, chances, weighted), names)
    held = {}
    for seed in range(SETS):
        got = measure(world(rng, number, classes, skill, chances, weighted), names, seed=seed)
        rows = [(key, truth[key], ends) for key, ends in got["intervals"].items()]
        for key in ("recall", "precision", "f1"):
            rows.append((key, truth["per_class"][-1][key], got["per_class"][-1]["intervals"][key]))
        for key, value, ends in rows:
            held.setdefault(key, []).append(ends is not None and ends[0] <= value <= ends[1])
    return {key: float(np.mean(values)) for key, values in held.items()}


def test_intervals_hold_the_truth_in_90_to_98_percent_of_200_test_sets():
    found = coverage(number=200, classes=3, skill=1.6)
    assert set(found) == {"accuracy", "balanced_accuracy", "macro_f1", "log_loss", "mean_average_precision", "roc_auc",
                          "recall", "precision", "f1"}  # fmt: skip
    assert all(0.90 <= share <= 0.98 for share in found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "classes", "skill", "chances", "weighted"),
    [(300, 5, 1.6, None, False), (400, 10, 2.0, None, False), (300, 3, 2.0, (0.8, 0.15, 0.05), False),
     (300, 4, 2.0, None, True), (150, 5, 3.5, None, False)],
)  # fmt: skip
def test_intervals_hold_the_truth_in_other_worlds(number, classes, skill, chances, weighted):
    found = coverage(number, classes, skill, chances, weighted)
    assert all(0.90 <= share <= 0.99 for share in found.values()), found


def stored(p):
    scores = p.scores.astype(np.float32)
    return Stored(scores, p.labels, scores.argmax(1), losses(p), p.weights, [], "")


def test_intervals_of_differences_hold_the_truth():
    rng = np.random.default_rng(1)

    def pair(number):
        first = world(rng, number, 3, 1.2)
        logits = np.log(first.scores) + rng.normal(0, 0.6, first.scores.shape)
        logits[np.arange(number), first.labels] += 0.3
        scores = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
        second = Predictions(scores, first.labels, first.weights, first.index)
        return stored(first), stored(second)

    truth, held, narrower = difference(*pair(200_000)), {}, 0
    for seed in range(SETS):
        one = pair(200)
        got = difference(*one, seed=seed)
        for key, found in got.items():
            if isinstance(found, dict):
                low, high = found["interval"]
                held.setdefault(key, []).append(low <= truth[key]["difference"] <= high)
        apart = [intervals.of_share(each.predicted == each.labels, each.weights) for each in one]
        narrower += np.diff(got["accuracy"]["interval"])[0] < np.hypot(*(high - low for low, high in apart))
    found = {key: float(np.mean(values)) for key, values in held.items()}
    assert set(found) == {"accuracy", "balanced_accuracy", "macro_f1", "log_loss"}
    assert all(0.90 <= share <= 0.98 for share in found.values()), found
    assert narrower > 0.95 * SETS, "pairing is to make the interval of a difference narrower"


def test_wilson_is_scipys():
    for right, number in ((0, 5), (5, 5), (3, 17), (980, 1000)):
        expected = binomtest(right, number).proportion_ci(method="wilson")
        np.testing.assert_allclose(intervals.wilson(right / number, number), expected, atol=1e-9)
        values = np.arange(number) < right
        np.testing.assert_allclose(intervals.of_share(values, np.ones(number)), expected, atol=1e-9)


def test_no_mistake_is_no_certainty():
    labels = np.arange(60, dtype=np.int32) % 3
    p = Predictions(np.eye(3, dtype=np.float32)[labels], labels, np.ones(60, np.float32), np.arange(60))
    for key, ends in measure(p, "abc")["intervals"].items():
        if key != "log_loss":
            assert ends[1] == 1 and 0.9 < ends[0] < 0.95, key
    same = difference(stored(p), stored(p))
    assert same["accuracy"]["interval"][0] < 0 < same["accuracy"]["interval"][1] and same["mcnemar_p"] == 1


def test_figures_of_outcomes_are_scikit_learns(rng):
    p = world(rng, 400, 4, 1.0, weighted=True)
    guess = p.scores.argmax(1)
    outcomes = intervals.Outcomes(p.labels, [guess, p.labels], p.weights, 4)
    got = outcomes.figures(outcomes.counts[None].astype(float))
    expected = reference.balanced_accuracy_score(p.labels, guess, sample_weight=p.weights)
    assert got["balanced_accuracy"][0] == pytest.approx(expected)
    expected = reference.f1_score(p.labels, guess, average="macro", sample_weight=p.weights)
    assert got["macro_f1"][0] == pytest.approx(expected)
    assert outcomes.figures(outcomes.counts[None], 1)["accuracy"][0] == 1


def test_mcnemar_counts_only_what_one_has_right():
    first, second = np.array([1, 1, 1, 0, 0, 1, 1], bool), np.array([1, 0, 0, 1, 0, 0, 0], bool)
    got = mcnemar(first, second)
    assert (got["only_first"], got["only_second"]) == (4, 1)
    assert got["mcnemar_p"] == pytest.approx(2 * (1 + 5) / 2**5)


def test_intervals_are_the_same_for_the_same_seed_and_for_scaled_weights(rng):
    p = world(rng, 100, 3, 1.0, weighted=True)
    twice = Predictions(p.scores, p.labels, 2 * p.weights, p.index)
    one, again, scaled = (measure(each, "abc")["intervals"] for each in (p, p, twice))
    assert one == again
    for key, ends in one.items():
        assert ends == pytest.approx(scaled[key], abs=1e-6), key
