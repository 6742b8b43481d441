"""Calibration: is a model right as often as its scores say (Guo et al. 2017)?

The expected calibration error (ECE) is the mean distance between score and share of right answers over 15 bins of equal
width, weighted by the samples in them. With one label a sample the score is that of the predicted class; with several,
each label is an answer of its own and its score the chance that it is there.
The temperature T divides the logits; it is the one that makes the labels likeliest, and changes no predicted class.
Of n samples, each label is believed to 1 - 1 / (n + 2) (Platt 1999): else a model that was right each time were sure of
everything.
"""

import numpy as np

from kcnn.evaluation.intervals import wilson

BINS = 15
COLDEST, HOTTEST = 0.05, 20.0
SMALLEST = 1e-38


def calibration(predictions, temperature=None, fitted_on=None):
    """What the report says of calibration, as a JSON-able dict: ece, bins, and with a `temperature` what it mends.

    `bins` has a row [mean score, share right, share of the samples, low, high] for each bin that is not empty; the
    last two are the 95 % interval of the share right. With a temperature:
    temperature, fitted_on (a split's name), ece_after, bins_after, log_loss_after.
    """
    error, bins = expected_error(predictions)
    found = {"ece": error, "bins": bins}
    if temperature is None:
        return found
    error, bins = expected_error(predictions, temperature)
    found |= {"temperature": temperature, "fitted_on": fitted_on, "ece_after": error, "bins_after": bins}
    return found | {"log_loss_after": _moments(predictions, 1 / temperature)[0]}


def expected_error(predictions, temperature=1.0):
    """(ECE, rows of `bins` as in `calibration`) with the logits divided by `temperature`."""
    sums = np.zeros((4, BINS))
    for rows in predictions.parts():
        score, right = _answers(predictions, rows, temperature)
        weight = np.repeat(predictions.weights[rows].astype(np.float64), score.size // max(len(score), 1))
        score, right = score.ravel(), right.ravel()
        place = np.clip(np.ceil(score * BINS).astype(int) - 1, 0, BINS - 1)
        sums += [np.bincount(place, weight * part, BINS) for part in (1.0, score, right, weight)]
    if not sums[0].any():
        return None, []
    weight, score, right, squares = sums[:, sums[0] > 0]
    score, right, share = score / weight, right / weight, weight / weight.sum()
    ends = wilson(right, weight**2 / squares)
    return float((np.abs(score - right) * share).sum()), np.stack([score, right, share, *ends], 1).round(6).tolist()


def _answers(predictions, rows, temperature):
    """(scores float64, right): of the predicted class (n,), or of every label (n, K)."""
    labels = predictions.labels[rows]
    logits = _logits(predictions, rows) / temperature
    if predictions.multi_label:
        return 1 / (1 + np.exp(-logits)), labels > 0.5
    guess = logits.argmax(1)
    top = np.take_along_axis(logits, guess[:, None], 1)
    return 1 / np.exp(logits - top).sum(1), guess == labels


def _logits(predictions, rows):
    """Logits float64 (n, K) that give the scores back; those of a softmax are known up to a constant a sample."""
    scores = predictions.scores[rows].astype(np.float64)
    logits = np.log(np.maximum(scores, SMALLEST))
    return logits - np.log(np.maximum(1 - scores, 1e-8)) if predictions.multi_label else logits


def fit_temperature(predictions):
    """The temperature in 0.05–20 that makes the labels of `predictions` likeliest; None where there is no weight.

    Newton's method on 1/T, in which the loss is convex, kept inside a bracket.
    """
    if predictions.weights.sum() <= 0:
        return None
    low, high, beta = 1 / HOTTEST, 1 / COLDEST, 1.0
    weights = predictions.weights.astype(np.float64)
    doubt = 1 / (weights.sum() ** 2 / np.square(weights).sum() + 2)
    for _ in range(60):
        _, slope, curve = _moments(predictions, beta, doubt)
        low, high = (low, beta) if slope > 0 else (beta, high)
        step = beta - slope / curve if curve > 0 else np.inf
        after = step if low < step < high else np.sqrt(low * high)
        if abs(after - beta) < 1e-7 * beta:
            break
        beta = after
    return float(1 / beta)


def _moments(predictions, beta, doubt=0.0):
    """(loss, its slope, its curvature) in `beta` = 1/T: weighted means of the cross-entropy and its derivatives.

    doubt: the share of each label that is spread over the others.
    """
    sums = np.zeros(3)
    for rows in predictions.parts():
        logits, labels = _logits(predictions, rows), predictions.labels[rows]
        part = (_binary if predictions.multi_label else _categorical)(logits, labels, beta, doubt)
        sums += [predictions.weights[rows].astype(np.float64) @ each for each in part]
    return tuple(float(each) for each in sums / max(float(predictions.weights.sum(dtype=np.float64)), 1e-300))


def _categorical(logits, labels, beta, doubt):
    own = logits[np.arange(len(logits)), labels]
    own = (1 - doubt) * own + doubt * (logits.sum(1) - own) / max(logits.shape[1] - 1, 1)
    scaled = beta * logits
    top = scaled.max(1, keepdims=True)
    chance = np.exp(scaled - top)
    total = chance.sum(1)
    chance /= total[:, None]
    mean = (chance * logits).sum(1)
    loss = np.log(total) + top[:, 0] - beta * own
    return loss, mean - own, (chance * np.square(logits - mean[:, None])).sum(1)


def _binary(logits, labels, beta, doubt):
    truth = np.where(labels > 0.5, 1 - doubt, doubt)
    chance = 1 / (1 + np.exp(-beta * logits))
    loss = np.logaddexp(0, beta * logits) - truth * beta * logits
    return loss.mean(1), ((chance - truth) * logits).mean(1), (chance * (1 - chance) * logits**2).mean(1)
