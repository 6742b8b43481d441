"""How good a classifier is: from scores and labels to a dict that JSON can hold.

Figures are weighted by the samples' weights; `support` and the confusion matrix count samples. A figure that is not
defined (the precision of a class never predicted, the average precision of a label never seen) is None, never a zero
that looks measured.
"""

import numpy as np

LARGEST_MATRIX = 200
TINY = 1e-7


def measure(predictions, class_names, names=None, worst=12):
    """The figures of `Predictions` for K classes, as a JSON-able dict.

    Single-label: samples, accuracy, top5 (K > 5), log_loss, macro_f1, per_class, confusion (rows true, columns
    predicted; up to 200 classes), most_confused, worst. Multi-label: accuracy (mean over labels), exact_match,
    mean_average_precision, log_loss, macro_f1, per_class (each with its average_precision), worst.
    `names` (N of the whole split) says what to call a sample, by its index.
    """
    figures = _multi_label if predictions.multi_label else _single_label
    return {"multi_label": predictions.multi_label, "samples": len(predictions)} | figures(
        predictions, list(class_names), names, worst
    )


def _single_label(p, class_names, names, worst):
    guess, each_loss = p.scores.argmax(1), -np.log(np.clip(p.scores[np.arange(len(p)), p.labels], TINY, 1))
    counts = _confusion(p.labels, guess, len(class_names))
    per_class = _per_class(p.labels[:, None] == np.arange(len(class_names)), _one_hot(guess, p), p.weights, class_names)
    result = {"accuracy": _mean(guess == p.labels, p.weights)}
    if len(class_names) > 5:
        better = (p.scores > p.scores[np.arange(len(p)), p.labels][:, None]).sum(1)
        result["top5"] = _mean(better < 5, p.weights)
    mistakes = np.flatnonzero(guess != p.labels)
    return result | {
        "log_loss": _mean(each_loss, p.weights),
        "macro_f1": _mean_of_known([row["f1"] for row in per_class]),
        "mistakes": len(mistakes),
        "per_class": per_class,
        "confusion": counts.tolist() if len(class_names) <= LARGEST_MATRIX else None,
        "most_confused": _most_confused(counts, class_names),
        "worst": [
            {
                **_who(p, i, names),
                "true": class_names[p.labels[i]],
                "predicted": class_names[guess[i]],
                "score": float(p.scores[i, guess[i]]),
                "loss": float(each_loss[i]),
            }
            for i in mistakes[np.argsort(-each_loss[mistakes], kind="stable")][:worst]
        ],
    }


def _multi_label(p, class_names, names, worst):
    truth, guess = p.labels > 0.5, p.scores > 0.5
    right, scores = truth == guess, np.clip(p.scores.astype(np.float64), TINY, 1 - TINY)
    loss = -np.where(truth, np.log(scores), np.log1p(-scores)).mean(1)
    per_class = _per_class(truth, guess, p.weights, class_names)
    for k, row in enumerate(per_class):
        row["average_precision"] = _average_precision(truth[:, k], p.scores[:, k], p.weights)
    mistakes = np.flatnonzero(~right.all(1))
    return {
        "accuracy": _mean(right.mean(1), p.weights),
        "exact_match": _mean(right.all(1), p.weights),
        "mean_average_precision": _mean_of_known([row["average_precision"] for row in per_class]),
        "log_loss": _mean(loss, p.weights),
        "macro_f1": _mean_of_known([row["f1"] for row in per_class]),
        "mistakes": len(mistakes),
        "per_class": per_class,
        "worst": [
            {
                **_who(p, i, names),
                "true": _joined(class_names, truth[i]),
                "predicted": _joined(class_names, guess[i]),
                "score": float(p.scores[i].max()),
                "loss": float(loss[i]),
            }
            for i in mistakes[np.argsort(-loss[mistakes], kind="stable")][:worst]
        ],
    }


def _per_class(truth, guess, weights, class_names):
    """[{name, precision, recall, f1, support}] from truth and guess (N, K) bool; what 0 / 0 would give is None."""
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, _ = precision_recall_fscore_support(
        truth.astype(int), guess.astype(int), average=None, sample_weight=weights, zero_division=np.nan
    )
    columns = zip(class_names, precision, recall, f1, truth.sum(0), strict=True)
    return [
        {"name": name, "precision": _known(p), "recall": _known(r), "f1": _known(f), "support": int(n)}
        for name, p, r, f, n in columns
    ]


def _most_confused(counts, class_names, most=10):
    """The pairs most often mistaken: [{true, predicted, count, share of the true class's samples}]."""
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [(int(t), int(g)) for t, g in zip(*np.unravel_index(order, wrong.shape), strict=True) if wrong[t, g]]
    return [
        {
            "true": class_names[t],
            "predicted": class_names[g],
            "count": int(wrong[t, g]),
            "share": float(wrong[t, g] / counts[t].sum()),
        }
        for t, g in pairs
    ]


def _average_precision(truth, scores, weights):
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(truth, scores, sample_weight=weights)) if truth.any() else None


def _confusion(labels, guess, classes):
    return np.bincount(labels.astype(np.int64) * classes + guess, minlength=classes**2).reshape(classes, classes)


def _one_hot(guess, p):
    return guess[:, None] == np.arange(p.scores.shape[1])


def _who(p, i, names):
    index = int(p.index[i])
    return {"index": index, "name": str(names[index]) if names is not None else f"index {index}"}


def _joined(class_names, chosen):
    return ", ".join(name for name, yes in zip(class_names, chosen, strict=True) if yes) or "none"


def _mean(values, weights):
    return float(np.average(np.asarray(values, np.float64), weights=weights)) if weights.sum() > 0 else None


def _known(value):
    return None if np.isnan(value) else float(value)


def _mean_of_known(values):
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
