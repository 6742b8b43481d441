"""The margin by which class 0 wins: found as by trying each, on any data, and inside the head's answers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.errors import UserError
from kcnn.evaluation import best_margin
from kcnn.evaluation.margins import ENOUGH, MARGINS
from kcnn.heads.masks import MaskHead
from kcnn.masks import IGNORE


def case(rng, shape, classes):
    """(model, batches, logits, truth, weights): logits that take too little for class 0, some places not judged."""
    truth = rng.integers(0, classes, (7, *shape)).astype(np.uint8)
    truth[rng.random(truth.shape) < 0.5] = 0
    logits = 2.0 * np.eye(classes)[truth] + rng.normal(0, 1.5, (*truth.shape, classes))
    logits[..., 0] -= 1.4
    truth[rng.random(truth.shape) < 0.1] = IGNORE
    weights = rng.random(7).astype(np.float32)
    parts = [slice(0, 4), slice(4, 7)]
    batches = [{"image": tf.constant(logits[p]), "mask": tf.constant(truth[p]), "weight": tf.constant(weights[p]),
                "index": tf.range(p.start, p.stop)} for p in parts]  # fmt: skip
    batches[1]["index"] = tf.constant([4, 5, -1])  # the last row only fills up
    identity = keras.Sequential([keras.Input((*shape, classes)), keras.layers.Identity()])
    return identity, batches, logits[:6].astype(np.float32), truth[:6], weights[:6]


def mean_iou(logits, truth, weights, margin):
    head = MaskHead(logits.shape[-1], margin=float(margin))
    said, ious = head.decode(logits)["mask"].numpy(), []
    each = np.broadcast_to(weights.reshape(-1, *[1] * (truth.ndim - 1)), truth.shape) * (truth != IGNORE)
    for k in range(logits.shape[-1]):
        both, either = (each[part].sum() for part in ((said == k) & (truth == k), (said == k) | (truth == k)))
        ious += [both / either] if either else []
    return np.mean(ious)


@pytest.mark.parametrize("shape, classes", [((9, 11), 4), ((30,), 2), ((4, 5, 6), 3)], ids=str)
def test_the_margin_is_the_best_of_all(rng, shape, classes):
    model, batches, *rest = case(rng, shape, classes)
    margin, without = best_margin(model, batches)
    means = [mean_iou(*rest, each) for each in MARGINS]
    found = means[list(MARGINS).index(margin)]
    assert without == pytest.approx(means[list(MARGINS).index(0)], abs=1e-6)
    assert found >= max(means) - ENOUGH - 1e-6 and found > without and 0 < margin < 3
    nearer = [mean for each, mean in zip(MARGINS, means, strict=True) if abs(each) < abs(margin)]
    assert max(nearer) < max(means) - ENOUGH + 1e-6


def test_nothing_is_chosen_where_nothing_helps():
    truth = np.zeros((1, 4, 4), np.uint8)
    truth[0, :2] = 1
    logits = tf.constant(20.0 * np.eye(2)[truth])
    batch = {"image": logits, "mask": tf.constant(truth), "weight": tf.ones(1), "index": tf.range(1)}
    identity = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.Identity()])
    assert best_margin(identity, [batch]) == (0.0, 1.0)


def test_a_margin_is_a_number():
    with pytest.raises(UserError, match="margin is 'much': it must be a number from -100 to below 100"):
        MaskHead(3, margin="much")
    assert MaskHead(2, margin=-3.0).decode(tf.constant([[[2.0, 1.0]]]))["mask"].numpy() == 1
