"""Areas and curves of precision-recall and ROC: scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics as reference

from kcnn.evaluation import diagrams
from kcnn.evaluation.classification import measure
from kcnn.evaluation.predictions import Predictions
from kcnn.evaluation.ranking import GRID, rank, steps
from tests.test_evaluation_figures import random_case


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_areas_are_scikit_learns(rng, multi_label, weighted, ties):
    p = random_case(rng, multi_label=multi_label, weighted=weighted)
    scores = np.round(p.scores, 1) if ties else p.scores
    p = Predictions(scores, p.labels, p.weights, p.index)
    truth = p.labels > 0.5 if multi_label else p.labels[:, None] == np.arange(7)
    got = measure(p, list("abcdefg"))
    for key, area in (("average_precision", reference.average_precision_score), ("roc_auc", reference.roc_auc_score)):
        expected = [area(truth[:, k], p.scores[:, k], sample_weight=p.weights) for k in range(7)]
        np.testing.assert_allclose([row[key] for row in got["per_class"]], expected, atol=1e-6)
    roc = reference.roc_auc_score(truth, p.scores, average="macro", sample_weight=p.weights)
    assert got["roc_auc"] == pytest.approx(roc, abs=1e-6)
    low, high = got["intervals"]["roc_auc"]
    assert low < got["roc_auc"] < high


def test_steps_and_curves_are_scikit_learns(rng):
    p = random_case(rng, n=500)
    truth = p.labels == 2
    false, true = steps(truth, p.scores[:, 2], p.weights)
    x, y, _ = reference.roc_curve(truth, p.scores[:, 2], drop_intermediate=False)
    np.testing.assert_allclose(np.append(0, false / false[-1]), x, atol=1e-12)
    np.testing.assert_allclose(np.append(0, true / true[-1]), y, atol=1e-12)
    _, figures = rank(lambda k: p.labels == k, p.scores, p.weights, list("abcdefg"))
    drawn = next(row for row in figures["ranking"]["classes"] if row["name"] == "c")
    precision, recall, _ = reference.precision_recall_curve(truth, p.scores[:, 2])
    for place in (0, 13, 50, 99, 100):
        first = recall[recall >= GRID[place] - 1e-12].min()
        assert drawn["precision"][place] == pytest.approx(precision[recall == first].max(), abs=1e-4)
        assert drawn["roc"][place] == pytest.approx(y[np.flatnonzero(x <= GRID[place] + 1e-12)[-1]], abs=0.02)


def test_a_class_that_never_or_always_occurs_has_no_area():
    scores = np.full((4, 3), 1 / 3, np.float32)
    p = Predictions(scores, np.zeros(4, np.int32), np.ones(4, np.float32), np.arange(4))
    got = measure(p, "abc")
    assert [row["roc_auc"] for row in got["per_class"]] == [None] * 3 and got["roc_auc"] is None
    assert got["ranking"] is None and got["intervals"].get("roc_auc") is None


def test_many_classes_leave_the_interval_out_rather_than_take_minutes(rng):
    p = random_case(rng, n=2000, k=7)
    wide = Predictions(np.tile(p.scores, (1, 100)) / 100, p.labels, p.weights, p.index)
    got = measure(wide, [str(k) for k in range(700)])
    assert got["roc_auc"] is not None and "roc_auc" not in got["intervals"]
    assert len(got["ranking"]["classes"]) == 7 and got["confusion"] is None


@pytest.mark.parametrize(("classes", "said"), [(4, "mean, and the 3 weakest of 4 classes"), (3, "")])
def test_the_plot_says_that_it_leaves_classes_out(rng, monkeypatch, classes, said):
    drawn = []
    monkeypatch.setattr(diagrams, "save", lambda figure, path: drawn.append(figure))
    figures = measure(random_case(rng, k=classes), list("abcd")[:classes])
    diagrams.ranking(figures["ranking"], figures, "x.png")
    assert [axes.get_legend().get_title().get_text() for axes in drawn[0].axes] == [said, said]
