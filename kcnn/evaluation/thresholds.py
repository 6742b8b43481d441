"""From which score on a label is said to be there, where a picture has several: where its F1 is best."""

import numpy as np

from kcnn.evaluation.intervals import mean_of_known
from kcnn.evaluation.per_class import columns
from kcnn.evaluation.ranking import distinct, steps

USUAL = 0.5


def best_thresholds(predictions, temperature=None):
    """A threshold for each of the K labels, for scores whose logits are divided by `temperature`.

    It lies midway between the two scores that it separates; a label that never or always occurs has 0.5.
    """
    truth = predictions.labels > 0.5
    found = [_best(truth[:, k], predictions.scores[:, k], predictions.weights) for k in range(truth.shape[1])]
    return [float(x) for x in tempered(np.array(found), temperature)]


def by_thresholds(predictions, thresholds, temperature, fitted_on):
    """What the report says of `thresholds`, as a JSON-able dict: values, fitted_on, f1 of each label, macro_f1."""
    truth, said = predictions.labels > 0.5, tempered(predictions.scores, temperature) >= np.asarray(thresholds)
    hits, true, answered = (columns(part, predictions.weights)[0] for part in (truth & said, truth, said))
    f1 = [float(2 * h / (t + a)) if t + a else None for h, t, a in zip(hits, true, answered, strict=True)]
    return {"values": list(thresholds), "fitted_on": fitted_on, "f1": f1, "macro_f1": mean_of_known(f1)}


def tempered(scores, temperature):
    """Scores of single labels (…) float64 as they are with the logits divided by `temperature`."""
    scores = np.clip(scores.astype(np.float64), 1e-38, 1 - 1e-16)
    return 1 / (1 + np.exp((np.log1p(-scores) - np.log(scores)) / (temperature or 1.0)))


def _best(truth, scores, weights):
    if not truth.any() or truth.all():
        return USUAL
    false, true = steps(truth, scores, weights)
    if not true[-1]:
        return USUAL
    values = distinct(scores)
    best = int(np.argmax(2 * true / (true + false + true[-1])))
    return (float(values[best]) + float(np.append(values, 0.0)[best + 1])) / 2
