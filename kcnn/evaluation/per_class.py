"""Precision, recall and F1 of each class, with their intervals, from sums over the samples."""

import numpy as np

from kcnn.evaluation.intervals import known, wilson


def per_class(class_names, hits, true, said, support, areas):
    """A row a class from (2, K) sums of weights and of their squares: hits, occurrences and answers.

    Each row: name, support, precision, recall, f1, average_precision, roc_auc, intervals of the first three.
    """
    union = true + said - hits
    shares, bounds = {}, {}
    for name, among in (("precision", said), ("recall", true), ("f1", union)):
        with np.errstate(divide="ignore", invalid="ignore"):
            share, count = hits[0] / among[0], among[0] ** 2 / among[1]
        ends = np.stack([share, *wilson(share, count)])
        ends = 2 * ends / (1 + ends) if name == "f1" else ends
        shares[name], bounds[name] = ends[0], ends[1:]
    return [
        {"name": name, "support": int(support[k]), **{key: known(values[k]) for key, values in shares.items()},
         **areas[k], "intervals": {key: _pair(ends[:, k]) for key, ends in bounds.items()}}
        for k, name in enumerate(class_names)
    ]  # fmt: skip


def sums(chosen, weights, classes):
    """(2, K): the weights of the samples of each chosen class (N,), summed, and their squares."""
    weights = weights.astype(np.float64)
    return np.stack([np.bincount(chosen, part, classes) for part in (weights, weights**2)])


def columns(mask, weights):
    """(2, K): as `sums`, of the samples in each column of `mask` (N, K)."""
    weights = weights.astype(np.float64)
    return np.stack([part @ mask for part in (weights, weights**2)])


def _pair(ends):
    return None if np.isnan(ends).any() else [float(end) for end in ends]
