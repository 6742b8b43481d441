"""By how much class 0, which is what is around, shall win a place: chosen as the mean IoU of a split says.

On new pictures a network often takes too much, or too little, of what is around for things. One number added to the
logit of class 0 mends that; for two classes it is the threshold on the chance of the second.
"""

import numpy as np
import tensorflow as tf

from kcnn.masks import IGNORE

MARGINS = np.arange(-12, 13) / 4
ENOUGH = 0.001  # of mean IoU: what a margin nearer 0 may lose against the best


def best_margin(model, batches):
    """(margin, mean IoU without one) of a `model` with raw logits (B, *S, K) over `batches`.

    The margin is that of `MARGINS` with the largest mean IoU over the classes that occur or are answered, or one nearer
    0 that is as good.
    """
    run = tf.function(lambda image: model(tf.cast(image, tf.float32), training=False))
    counts = 0.0
    for batch in batches:
        weights = batch["weight"].numpy() * (batch["index"].numpy() >= 0)
        counts = counts + _counted(run(batch["image"]).numpy(), batch["mask"].numpy(), weights)
    means = _mean_ious(counts)
    enough = np.flatnonzero(means >= means.max() - ENOUGH)
    chosen = enough[np.abs(MARGINS[enough]).argmin()]
    return float(MARGINS[chosen]), float(means[np.flatnonzero(MARGINS == 0)[0]])


def _counted(logits, truth, weights):
    """(K, K, margins + 1): weighted places by class, best class beside class 0, and the margin that this one needs."""
    classes = logits.shape[-1]
    weights = np.broadcast_to(weights[(slice(None), *[None] * (truth.ndim - 1))], truth.shape)
    judged = (truth != IGNORE) & (weights > 0)
    logits = logits[judged].astype(np.float32)
    other = logits[:, 1:].argmax(-1) + 1
    needed = np.take_along_axis(logits, other[:, None], 1)[:, 0] - logits[:, 0]
    cell = (truth[judged].astype(np.int64) * classes + other) * (len(MARGINS) + 1) + np.searchsorted(MARGINS, needed)
    size = classes * classes * (len(MARGINS) + 1)
    return np.bincount(cell, weights[judged], size).reshape(classes, classes, -1)


def _mean_ious(counts):
    """(margins,): the mean IoU at each margin."""
    around = counts.cumsum(-1)[..., :-1]  # (true, other, margin): places that class 0 wins
    left = counts.sum(-1)[..., None] - around
    true = counts.sum((1, 2))[:, None]
    said, hits = left.sum(0), np.einsum("kkm->km", left)
    said[0], hits[0] = around.sum((0, 1)), around[0].sum(0)
    union = true + said - hits
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(np.nanmean(np.where(union > 0, hits / union, np.nan), 0))
