"""What is asked of a network when a picture is explained: how much speaks for one class, as a number a picture."""

import keras
import numpy as np
import tensorflow as tf

from kcnn.errors import UserError
from kcnn.inspection.graph import logits_of

TOGETHER = 16  # pictures at once


def question(model, image, target=None):
    """(outputs of `model`, a function from these to (B,)): what speaks for a class, as in `image` (H, W, C).

    The outputs are the logits (B, ..., K). What speaks for a class is its logit, or the mean logit over the places that
    it wins in `image`, or over all where it wins none (as Vinogradova et al. 2020, Towards interpretable semantic
    segmentation, by any region).

    target: index of the class; if None that of the highest logit, or the one that wins most places. Or such a function
    of all raw outputs of the model itself. Raises `UserError` for an index that is none.
    """
    if callable(target):
        return model.output, target
    outputs = logits_of(model)
    logits = keras.Model(model.input, outputs)(tf.cast(image, tf.float32)[None], training=False)
    return outputs, evidence(np.asarray(tf.cast(logits[0], tf.float32)), target)


def asker(model, image, target=None):
    """A function from pictures (N, H, W, C) to what speaks for the class in each, (N,): `question`, asked in parts."""
    outputs, ask = question(model, image, target)
    probe = keras.Model(model.input, outputs)
    run = tf.function(lambda inputs: ask(probe(inputs, training=False)), reduce_retracing=True)

    def asked(images):
        parts = (images[start : start + TOGETHER] for start in range(0, len(images), TOGETHER))
        return np.concatenate([run(tf.constant(part, tf.float32)).numpy() for part in parts])

    return asked


def evidence(logits, target=None):
    """The function of `question` for an image with these `logits` (..., K)."""
    classes = logits.shape[-1]
    if target is not None and not 0 <= int(target) < classes:
        raise UserError(f"target {target} must be the index of one of {classes} classes, 0 to {classes - 1}")
    won = logits.argmax(-1)
    target = int(np.bincount(won.ravel()).argmax() if target is None else target)
    where = (won == target) if (won == target).any() else np.ones(won.shape, bool)
    share = (where / where.sum()).astype(np.float32)

    def ask(outputs):
        values = tf.cast(outputs[..., target], tf.float32) * share
        return tf.reduce_sum(values, axis=list(range(1, values.shape.rank)))

    return ask
