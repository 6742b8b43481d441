"""Two models on the same pictures: the difference of their figures, resampled picture by picture.

Both answer every resample, so that pictures hard for both cancel out; the interval is narrower, and more honest, than
what two separate ones suggest.
"""

import numpy as np

from kcnn.evaluation.intervals import Outcomes, known_mean, of_mean, of_share, percentiles, resamples
from kcnn.evaluation.stored import StoredMasks


def difference(first, second, seed=0):
    """The figures of `Stored` or `StoredMasks` second minus first, on the same samples: a JSON-able dict.

    {figure: {difference, interval}} of accuracy, macro_f1, log_loss and, with one label a sample, balanced_accuracy;
    with these also only_first, only_second (samples that only one has right) and mcnemar_p, the chance of a split as
    uneven as that among them if both were equally good. Of masks: picture_iou, the mean over pictures of their mean
    IoU, where both have one.
    """
    if isinstance(first, StoredMasks):
        return {"picture_iou": _of_pictures(first, second, seed)}
    right = [_right(one) for one in (first, second)]
    found = {"accuracy": _of_mean(right[1] - right[0], first.weights, seed)}
    if first.labels.ndim == 1:
        found |= _class_means(first, second, seed) | mcnemar(*(each > 0.5 for each in right))
    else:
        found["macro_f1"] = _mean_f1(first, second, seed)
    found["log_loss"] = _of_mean(second.loss.astype(np.float64) - first.loss, first.weights, seed)
    return found


def mcnemar(first, second):
    """{only_first, only_second, mcnemar_p} of two bool (N,): exact two-sided test of McNemar (1947)."""
    from scipy.stats import binomtest

    only = int((first & ~second).sum()), int((second & ~first).sum())
    chance = binomtest(only[1], sum(only)).pvalue if sum(only) else 1.0
    return {"only_first": only[0], "only_second": only[1], "mcnemar_p": float(chance)}


def _right(one):
    """float64 (N,): 1 where the answer is right; with several labels the share of them."""
    same = one.predicted == one.labels
    return same.astype(np.float64) if same.ndim == 1 else same.mean(1)


def _of_pictures(first, second, seed):
    each = second.mean_iou.astype(np.float64) - first.mean_iou
    return _of_mean(each[~np.isnan(each)], first.weights[~np.isnan(each)], seed)


def _of_mean(each, weights, seed):
    """{difference, interval} of a mean of per-sample differences; where none differs, as wide as one share's."""
    total = weights.sum()
    value = float(np.average(each, weights=weights)) if total > 0 else None
    if total > 0 and not each.any():
        width = of_share(each, weights)[1]
        return {"difference": value, "interval": [-width, width]}
    return {"difference": value, "interval": of_mean(each, weights, seed)}


def _class_means(first, second, seed):
    outcomes = Outcomes(first.labels, [first.predicted, second.predicted], first.weights, first.scores.shape[1])
    whole = [outcomes.figures(outcomes.counts[None], which) for which in (0, 1)]
    drawn = [[outcomes.figures(counts, which) for which in (0, 1)] for counts in outcomes.resampled(seed)]
    found = {}
    for key in ("balanced_accuracy", "macro_f1"):
        apart = np.concatenate([b[key] - a[key] for a, b in drawn])
        found[key] = _row(float((whole[1][key] - whole[0][key])[0]), apart)
    return found


def _mean_f1(first, second, seed):
    """{difference, interval} of the mean F1 over columns of several labels."""
    parts = [((one.labels & one.predicted).astype(np.float32), one.labels + np.float32(one.predicted))
             for one in (first, second)]  # fmt: skip

    def apart(weights):
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = (known_mean(2 * (weights @ hits) / (weights @ both)) for hits, both in parts)
        return b - a

    weights = first.weights.astype(np.float32)
    drawn = [apart((counts * weights).astype(np.float32)) for counts in resamples(np.ones(len(weights)), seed)]
    return _row(float(apart(weights[None])[0]), np.concatenate(drawn))


def _row(value, drawn):
    known = drawn[np.isfinite(drawn)]
    return {"difference": value if np.isfinite(value) else None, "interval": percentiles(known) if len(known) else None}
