"""Baselines: what the score would be without a network, so that it is seen what the network adds.

Two rivals: always the most frequent answer of the training pictures, and a logistic regression on small thumbnails.
"""

import logging
import warnings
from dataclasses import dataclass

import numpy as np

from kcnn.evaluation.intervals import of_share

SIDE = 16  # pixels of a thumbnail
MOST_SAMPLES = 5000
MOST_VALUES = 1024  # features of a sample
MOST_WORK = 4e10  # samples × features × classes × rounds: a few seconds of one processor
ROUNDS = 100
log = logging.getLogger(__name__)


def majority(predictions, counts, training_samples):
    """{accuracy, interval, answer}: always the commonest class; of several labels, those that most samples have.

    counts (K,): how often each class occurs among the `training_samples`. `answer` is the class numbers said.
    """
    counts = np.asarray(counts)
    if predictions.multi_label:
        said = counts > training_samples / 2
        right = ((predictions.labels > 0.5) == said).mean(1)
    else:
        said = np.arange(len(counts)) == counts.argmax()
        right = predictions.labels == counts.argmax()
    return _scored(right, predictions.weights) | {"answer": np.flatnonzero(said).tolist()}


@dataclass(frozen=True)
class LinearProbe:
    """A logistic regression on `samples` thumbnails, scaled by `mean` and `deviation`; `side` in pixels or None."""

    model: object
    mean: np.ndarray
    deviation: np.ndarray
    samples: int
    converged: bool

    def score(self, images, labels, weights):
        """{accuracy, interval, samples, trained_on, values, converged} on thumbnails (n, …) with their labels."""
        answers = self.model.predict((flat(images) - self.mean) / self.deviation)
        right = ((labels > 0.5) == (answers > 0.5)).mean(1) if labels.ndim == 2 else answers == labels
        facts = {"samples": len(labels), "trained_on": self.samples, "values": len(self.mean)}
        return _scored(right, weights) | facts | {"converged": self.converged}


def fit_probe(images, labels, seed=0):
    """The `LinearProbe` of training thumbnails (n, …) and labels (n,), or (n, K) for several.

    The rounds are bounded so that it takes seconds whatever the number of classes; it says whether it converged.
    Raises `ValueError` where there is nothing to tell apart.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from threadpoolctl import threadpool_limits

    values = flat(images)
    mean, deviation = values.mean(0), values.std(0)
    deviation = np.where(deviation > 1e-6, deviation, 1)
    several = labels.ndim == 2
    classes = labels.shape[1] if several else len(np.unique(labels))
    rounds = int(np.clip(MOST_WORK / (values.size * classes), 5, ROUNDS))
    model = LogisticRegression(max_iter=rounds, random_state=seed)
    model = OneVsRestClassifier(model) if several else model
    with warnings.catch_warnings(record=True) as told, threadpool_limits(1):  # more threads cost more than they save
        warnings.simplefilter("always")
        model.fit((values - mean) / deviation, labels > 0.5 if several else labels)
    converged = not any(issubclass(warning.category, ConvergenceWarning) for warning in told)
    return LinearProbe(model, mean, deviation, len(values), converged)


def flat(images):
    """float32 (n, at most 1024) of samples of any rank: all of their numbers, or as many evenly spaced ones."""
    values = np.asarray(images).reshape(len(images), -1)
    places = np.linspace(0, values.shape[1] - 1, min(MOST_VALUES, values.shape[1])).astype(int)
    return values[:, places].astype(np.float32)


def some(count, seed=0):
    """The places, in order, of at most 5 000 of `count` samples, drawn by `seed`."""
    if count <= MOST_SAMPLES:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, MOST_SAMPLES, replace=False))


def _scored(right, weights):
    right, weights = np.asarray(right, np.float64), np.asarray(weights, np.float64)
    known = weights.sum() > 0
    return {
        "accuracy": float(np.average(right, weights=weights)) if known else None,
        "interval": of_share(right, weights),
    }
