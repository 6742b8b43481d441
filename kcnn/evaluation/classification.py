"""How good a classifier is: from scores and labels to a dict that JSON can hold.

Figures are weighted by the samples' weights; `support` and the confusion matrix count samples. A figure that is not
defined (the precision of a class never predicted, the average precision of a label never seen) is None, never a zero
that looks measured. `intervals` holds [low, high] of each figure, at 95 %.
"""

import numpy as np

from kcnn.evaluation import intervals, mistakes
from kcnn.evaluation.intervals import Outcomes, known, mean_of_known, of_mean, of_resamples, of_share
from kcnn.evaluation.per_class import columns, per_class, sums
from kcnn.evaluation.ranking import rank

LARGEST_MATRIX = 200
TINY = 1e-7
MOST_LABELS = 1 << 23  # samples × classes whose mean F1 is resampled


def measure(predictions, class_names, names=None, worst=12, seed=0):
    """The figures of `Predictions` for K classes, as a JSON-able dict.

    Both kinds: samples, accuracy (multi-label: mean over labels), log_loss, macro_f1, mean_average_precision, roc_auc,
    ranking (the curves behind these two), per_class, most_confused, worst, intervals. Single-label also:
    balanced_accuracy, top5 (K > 5), confusion (rows true, columns predicted; up to 200 classes). Multi-label also:
    exact_match.
    `names` (N of the whole split) says what to call a sample, by its index; `seed` is that of the resampling.
    """
    figures = _multi_label if predictions.multi_label else _single_label
    found = figures(predictions, list(class_names), names, worst, seed)
    return {"multi_label": predictions.multi_label, "samples": len(predictions)} | found


def _single_label(p, class_names, names, worst, seed):
    classes, guess, own = len(class_names), p.scores.argmax(1), p.scores[np.arange(len(p)), p.labels]
    right, loss = guess == p.labels, losses(p)
    outcomes = Outcomes(p.labels, [guess], p.weights, classes)
    result, bounds = {"accuracy": _mean(right, p.weights)}, {"accuracy": of_share(right, p.weights)}
    means, bounds_of_means = _class_means(outcomes, p.weights, seed)
    if classes > 5:
        better = np.concatenate([(p.scores[rows] > own[rows, None]).sum(1) for rows in p.parts()])
        result["top5"], bounds["top5"] = _mean(better < 5, p.weights), of_share(better < 5, p.weights)
    areas, ranked = rank(lambda k: p.labels == k, p.scores, p.weights, class_names, seed)
    tallies = [sums(guess[right], p.weights[right], classes)]
    tallies += [sums(chosen, p.weights, classes) for chosen in (p.labels, guess)]
    return result | {
        "balanced_accuracy": means["balanced_accuracy"],
        "macro_f1": means["macro_f1"],
        "log_loss": _mean(loss, p.weights),
        **{key: ranked[key] for key in ("mean_average_precision", "roc_auc", "ranking")},
        "intervals": bounds | bounds_of_means | {"log_loss": of_mean(loss, p.weights, seed)} | ranked["intervals"],
        "mistakes": int((~right).sum()),
        "per_class": per_class(class_names, *tallies, np.bincount(p.labels, minlength=classes), areas),
        "confusion": _confusion(p.labels, guess, classes),
        "most_confused": mistakes.most_confused(p, guess, class_names, names),
        "worst": mistakes.worst(p, guess, right, loss, class_names, names, worst),
    }  # fmt: skip


def _multi_label(p, class_names, names, worst, seed):
    truth, guess = p.labels > 0.5, p.scores > 0.5
    right, exact, loss = (truth == guess).mean(1), (truth == guess).all(1), losses(p)
    areas, ranked = rank(lambda k: truth[:, k], p.scores, p.weights, class_names, seed)
    tallies = [columns(part, p.weights) for part in (truth & guess, truth, guess)]
    rows = per_class(class_names, *tallies, truth.sum(0), areas)
    macro_f1 = mean_of_known(row["f1"] for row in rows)
    return {
        "accuracy": _mean(right, p.weights),
        "exact_match": _mean(exact, p.weights),
        "macro_f1": macro_f1,
        "log_loss": _mean(loss, p.weights),
        **{key: ranked[key] for key in ("mean_average_precision", "roc_auc", "ranking")},
        "intervals": {
            "accuracy": of_share(right, p.weights), "exact_match": of_share(exact, p.weights),
            "macro_f1": _bounds_of_f1(macro_f1, truth, guess, p.weights, seed),
            "log_loss": of_mean(loss, p.weights, seed), **ranked["intervals"],
        },
        "mistakes": int((~exact).sum()),
        "per_class": rows,
        "most_confused": mistakes.most_replaced(p, guess, class_names, names),
        "worst": mistakes.worst(p, guess, exact, loss, class_names, names, worst),
    }  # fmt: skip


def losses(p):
    """(N,) float64: each sample's cross-entropy (mean over labels when multi-label), at most 16.1."""
    if not p.multi_label:
        return -np.log(np.clip(p.scores[np.arange(len(p)), p.labels].astype(np.float64), TINY, 1))

    def some(rows):
        scores = np.clip(p.scores[rows].astype(np.float64), TINY, 1 - TINY)
        return -np.where(p.labels[rows] > 0.5, np.log(scores), np.log1p(-scores)).mean(1)

    return np.concatenate([some(rows) for rows in p.parts()])


def rightness(p):
    """(N,) float64: 1 where a sample is answered rightly, 0 where not; with several labels the share of them."""
    if not p.multi_label:
        return (p.scores.argmax(1) == p.labels).astype(np.float64)
    return ((p.labels > 0.5) == (p.scores > 0.5)).mean(1)


def _class_means(outcomes, weights, seed):
    """({figure: value}, {figure: [low, high]}) of the means over classes."""
    value = {name: float(v[0]) for name, v in outcomes.figures(outcomes.counts[None]).items()}
    drawn = [outcomes.figures(counts) for counts in outcomes.resampled(seed)]
    bounds = {
        name: of_resamples(value[name], np.concatenate([part[name] for part in drawn]), weights)
        for name in ("balanced_accuracy", "macro_f1")
    }
    return {name: known(v) for name, v in value.items()}, bounds


def _bounds_of_f1(value, truth, guess, weights, seed):
    """[low, high] of the mean F1 over columns of bool (N, K), by bootstrap; None where it would hold too much."""
    if truth.size > MOST_LABELS:
        return None
    hits, both, means = (truth & guess).astype(np.float32), truth.astype(np.float32) + guess, []
    for counts in intervals.resamples(np.ones(len(truth)), seed):
        drawn = (counts * weights).astype(np.float32)
        with np.errstate(divide="ignore", invalid="ignore"):
            means.append(intervals.known_mean(2 * (drawn @ hits) / (drawn @ both)))
    return of_resamples(value, np.concatenate(means), weights)


def _confusion(labels, guess, classes):
    if classes > LARGEST_MATRIX:
        return None
    cells = np.bincount(labels.astype(np.int64) * classes + guess, minlength=classes**2)
    return cells.reshape(classes, classes).tolist()


def _mean(values, weights):
    return float(np.average(np.asarray(values, np.float64), weights=weights)) if weights.sum() > 0 else None
