"""From which score on a label is there: thresholds against a search by hand, and in a run's answers and exports."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, logit
from sklearn import metrics as reference

import kcnn
from kcnn.evaluation.predictions import Predictions
from kcnn.evaluation.thresholds import best_thresholds, by_thresholds, tempered
from kcnn.heads import Classifier
from tests.test_evaluation_figures import random_case


@pytest.mark.parametrize("temperature", [None, 1.7])
def test_each_label_has_the_f1_of_the_best_of_all_thresholds(rng, temperature):
    p = random_case(rng, multi_label=True, weighted=True)
    found = best_thresholds(p, temperature)
    told = by_thresholds(p, found, temperature, "val")
    scores = expit(logit(p.scores.astype(float)) / (temperature or 1))
    np.testing.assert_allclose(tempered(p.scores, temperature), scores, rtol=1e-6)
    for k in range(7):
        truth = p.labels[:, k] > 0.5
        every = [reference.f1_score(truth, scores[:, k] >= least, sample_weight=p.weights) for least in scores[:, k]]
        assert told["f1"][k] == pytest.approx(max(every), abs=1e-6)
        assert np.abs(scores[:, k] - found[k]).min() > 0  # it lies between two scores: rounding moves no answer
    assert told["macro_f1"] == pytest.approx(np.mean(told["f1"])) and told["values"] == found


def test_a_label_that_says_nothing_has_a_half():
    labels = np.array([[0, 1, 1], [0, 1, 0]], np.float32)
    p = Predictions(np.full((2, 3), 0.3, np.float32), labels, np.ones(2, np.float32), np.arange(2))
    found = best_thresholds(p)
    assert found[:2] == [0.5, 0.5] and found[2] == pytest.approx(0.15)
    nothing = Predictions(p.scores, labels, np.zeros(2, np.float32), p.index)
    assert best_thresholds(nothing) == [0.5] * 3


def test_the_head_says_which_labels_are_there():
    logits = np.array([[0.0, 2.0, -2.0]], np.float32)
    head = Classifier(3, multi_label=True, temperature=2.0, thresholds=(0.6, 0.5, 0.2))
    found = head.decode(logits)
    np.testing.assert_allclose(found["scores"], expit(logits / 2), rtol=1e-6)
    np.testing.assert_array_equal(found["present"], [[False, True, True]])
    assert "present" not in Classifier(3).decode(logits)
    with pytest.raises(kcnn.UserError, match="thresholds has 1 values for 3 classes"):
        Classifier(3, thresholds=(0.5,))
    with pytest.raises(kcnn.UserError, match=r"temperature is 0\.0: it must be above 0"):
        Classifier(3, temperature=0.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on dots that are red, green or blue, several a picture, and seldom right."""
    rng = np.random.default_rng(0)
    y = (rng.random((240, 3)) < (0.5, 0.3, 0.2)).astype("float32")
    x = (60 * rng.random((240, 16, 16, 3)) + 40 * y[:, None, None]).astype("uint8")
    options = {"runtime.runs": str(tmp_path_factory.mktemp("runs")), "runtime.precision": "float32"}
    return kcnn.build_and_fit_classifier((x, y), architecture="resnet_toy", epochs=2, **options), x


def test_answers_and_exports_use_what_the_report_found(run):
    run, x = run
    figures = run.splits["val"]
    temperature, least = figures["calibration"]["temperature"], figures["thresholds"]["values"]
    raw = run.model.predict(x[:40].astype("float32"), verbose=0)
    scores = expit(raw / temperature)
    found = run.predict(list(x[:40]), top=3)
    names = np.array(run.class_names)
    for row, one in zip(scores, found, strict=True):
        assert dict(one["top"]) == pytest.approx(dict(zip(names, row, strict=True)), abs=1e-4)
        assert one["labels"] == list(names[row >= least])
    served = tf.saved_model.load(str(run.export())).signatures["serving_default"](image=tf.constant(x[:40]))
    np.testing.assert_allclose(served["scores"], scores, atol=1e-4)
    np.testing.assert_array_equal(served["present"], scores >= least)
    assert "### Thresholds" in run.report.read_text("utf-8")
    assert run.predict(b"none")["labels"] == []
