"""How well scores rank: precision over recall, and true over false positives, of each class against the rest.

The area under the first is the average precision (the sum of precision times the step in recall), under the second
the ROC area (Hanley & McNeil 1982); both as scikit-learn has them. A class that never or always occurs has none.
"""

import numpy as np

from kcnn.evaluation.intervals import known, known_mean, mean_of_known, of_resamples, resamples

GRID = np.linspace(0, 1, 101)
MOST_CURVES = 10
AFFORDABLE = 5e7  # samples × classes × resamples
MOST, FEWEST = 200, 50  # resamples, which are to give a standard error


def rank(truth_of, scores, weights, class_names, seed=0):
    """(rows, figures): each class's areas, and what the report says of all classes together.

    `truth_of(k)` is a bool array (N,): which samples have class k; scores (N, K). Rows are {average_precision,
    roc_auc}; figures {mean_average_precision, roc_auc, intervals, ranking} with the curves on a grid of 101 points:
    their mean, and those of the classes that rank worst.
    """
    rows, curves = [], []
    for k in range(len(class_names)):
        false, true = steps(truth_of(k), scores[:, k], weights)
        average, roc = _areas(false[None], true[None])
        rows.append({"average_precision": known(average[0]), "roc_auc": known(roc[0])})
        curves.append(_on_grid(false, true))
    figures = {
        "mean_average_precision": mean_of_known(row["average_precision"] for row in rows),
        "roc_auc": mean_of_known(row["roc_auc"] for row in rows),
    }
    intervals = {}
    if figures["roc_auc"] is not None:
        drawn = _resampled(truth_of, scores, weights, seed)
        intervals = {key: of_resamples(figures[key], values, weights) for key, values in drawn.items()}
    ranked = [k for k, row in enumerate(rows) if None not in row.values()]
    worst = sorted(ranked, key=lambda k: rows[k]["average_precision"])[:MOST_CURVES]
    drawn = [{"name": class_names[k], **rows[k], **_rounded(*curves[k])} for k in worst]
    mean = _rounded(*np.mean([curves[k] for k in ranked], 0)) if ranked else None
    return rows, figures | {"intervals": intervals, "ranking": {"mean": mean, "classes": drawn} if ranked else None}


def steps(truth, scores, weights):
    """(false, true): the weight of false and of true positives at each distinct threshold, the highest first."""
    order, ends = _order(scores)
    weight = np.asarray(weights, np.float64)[order]
    return np.cumsum(weight * ~truth[order])[ends], np.cumsum(weight * truth[order])[ends]


def distinct(scores):
    """The distinct scores, the highest first."""
    order, ends = _order(scores)
    return scores[order][ends]


def _order(scores):
    """(the samples by falling score, the places after which the score changes)."""
    order = np.argsort(-scores, kind="stable")
    return order, np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)


def _areas(false, true):
    """(average precision, ROC area), each (B,), of the steps (B, thresholds); NaN where a side is empty."""
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = true / np.maximum(true + false, 1e-300)
        average = (np.diff(true, axis=1, prepend=0) * precision).sum(1) / true[:, -1]
        before = np.concatenate([np.zeros((len(true), 1)), true[:, :-1]], 1)
        wide = np.diff(false, axis=1, prepend=0)
        roc = (wide * (true + before)).sum(1) / (2 * true[:, -1] * false[:, -1])
    return average, roc


def _on_grid(false, true):
    """(2, 101): precision at each recall of the grid (at the first threshold that reaches it), and the ROC curve."""
    recall = true / max(true[-1], 1e-300)
    first = np.minimum(np.searchsorted(recall, np.maximum(GRID - 1e-12, 1e-12)), len(true) - 1)
    precision = (true / np.maximum(true + false, 1e-300))[first]
    share = np.append(0, false / max(false[-1], 1e-300))
    last = np.searchsorted(share, GRID + 1e-12, side="right") - 1
    joined = np.interp(GRID, share, np.append(0, recall))
    return np.stack([precision, np.maximum(joined, np.append(0, recall)[last])])


def _rounded(precision, roc):
    return {"precision": np.round(precision, 4).tolist(), "roc": np.round(roc, 4).tolist()}


def _resampled(truth_of, scores, weights, seed):
    """{figure: (B,)}: the two mean areas of the pictures drawn again; {} where it would take too long."""
    number, classes = scores.shape
    times = int(min(MOST, AFFORDABLE / (number * classes)))
    if times < FEWEST:
        return {}
    ranked = [(truth_of(k), *_order(scores[:, k])) for k in range(classes)]
    means = {"mean_average_precision": [], "roc_auc": []}
    for counts in resamples(np.ones(number), seed, times):
        areas = [_resampled_areas(counts * weights, *row) for row in ranked]
        for i, parts in enumerate(means.values()):
            parts.append(known_mean(np.stack([pair[i] for pair in areas], 1)))
    return {name: np.concatenate(parts) for name, parts in means.items()}


def _resampled_areas(weight, truth, order, ends):
    weight = weight[:, order]
    true = np.cumsum(weight * truth[order], axis=1)[:, ends]
    return _areas(np.cumsum(weight, axis=1)[:, ends] - true, true)
