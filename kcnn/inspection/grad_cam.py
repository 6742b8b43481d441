"""Grad-CAM (Selvaraju et al. 2017): where in the picture is what the network saw as this class."""

import keras
import numpy as np
import tensorflow as tf

from kcnn.errors import UserError
from kcnn.inspection.graph import level_layer, logits_of
from kcnn.inspection.registry import EXPLAINERS


@EXPLAINERS.register("grad_cam")
def grad_cam(model, image, *, target=None, level=None):
    """Grad-CAM: how much each place of the picture speaks for one class, by the gradients at a level.

    Returns heat (H, W) float32 in [0, 1] for `image` (H, W, C).

    image: in the units that the model reads; (T, C) and (D, H, W, C) are taken too and give (T,) and (D, H, W).
    target: index of the class; see `evidence` for None, and for models that answer every place.
    level: a level's name ("c4"), a layer's own name, or None for the last level.

    The heat is all zero where nothing speaks for the class. Raises `UserError` for an unknown level or class.
    """
    probe = keras.Model(model.input, [level_layer(model, level).output, logits_of(model)])
    classes = probe.outputs[1].shape[-1]
    if target is not None and not 0 <= int(target) < classes:
        raise UserError(f"target {target} must be the index of one of {classes} classes, 0 to {classes - 1}")

    # A graph leaves out the gradients of the weights, which nobody asks for. Computed eagerly for one picture they also
    # corrupt the heap: TensorFlow 2.21 with oneDNN, 1×1 kernels of stride 2 on less than 16 channels.
    @tf.function
    def maps_and_gradients(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)  # a frozen model has no weights that would be followed by themselves
            maps, logits = probe(inputs, training=False)
            logit = evidence(logits[0], target)
        return maps[0], tape.gradient(logit, maps)[0]

    inputs = tf.cast(image, tf.float32)[None]
    maps, gradients = maps_and_gradients.get_concrete_function(inputs)(inputs)
    weights = tf.reduce_mean(tf.cast(gradients, tf.float32), axis=list(range(len(gradients.shape) - 1)))
    heat = np.maximum(np.asarray(tf.cast(maps, tf.float32)) @ weights.numpy(), 0)
    heat = upsampled(heat, np.shape(image)[:-1])
    return heat / heat.max() if heat.max() > 0 else heat


def evidence(logits, target=None):
    """What speaks for a class: its logit of `logits` (K,); of (places…, K) the mean over the places that it wins.

    target: index of the class; if None that of the highest logit, or the one that wins most places. One that wins none
    is judged by all places (as Vinogradova et al. 2020, Towards interpretable semantic segmentation, by any region).
    """
    logits = tf.reshape(tf.cast(logits, tf.float32), [-1, logits.shape[-1]])
    won = tf.one_hot(tf.argmax(logits, -1), logits.shape[-1])
    target = tf.argmax(tf.reduce_sum(won, 0)) if target is None else int(target)
    where = tf.gather(won, target, axis=1)
    where = tf.cond(tf.reduce_any(where > 0), lambda: where, lambda: tf.ones_like(where))
    return tf.reduce_sum(tf.gather(logits, target, axis=1) * where) / tf.reduce_sum(where)


def upsampled(heat, shape):
    """`heat` (h, w, ...) stretched to `shape` by linear interpolation between cell centres, in any number of axes."""
    for axis, size in enumerate(shape):
        cells = heat.shape[axis]
        places = (np.arange(size) + 0.5) * cells / size - 0.5
        below = np.clip(np.floor(places).astype(int), 0, cells - 1)
        share = np.clip(places - below, 0, 1).reshape([-1 if a == axis else 1 for a in range(heat.ndim)])
        above = np.minimum(below + 1, cells - 1)
        heat = (1 - share) * heat.take(below, axis) + share * heat.take(above, axis)
    return heat.astype(np.float32)
