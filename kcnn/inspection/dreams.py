"""Pictures that are made for a network: what its classes and channels want, what a level knows of a picture."""

import keras
import numpy as np
import tensorflow as tf

from kcnn.inspection.graph import level_layer, logits_of
from kcnn.inspection.registry import VIEWS
from kcnn.inspection.synthesis import WHITE, made
from kcnn.inspection.views import View, check_pictures

MOST = 16  # pictures that are made at once
LEVEL_STEPS, FAINT = 800, 1e-3  # of an inversion: steps, and the weight against roughness


def activation_maximisation(model, image=None, level=None):
    """A picture for each class that raises its logit as far as can be, or for the first channels of a `level`."""
    check_pictures(model, "activation_maximisation")
    outputs = logits_of(model) if level is None else level_layer(model, level).output
    probe, count = keras.Model(model.input, outputs), min(outputs.shape[-1], MOST)

    def loss(pictures):
        answers = tf.cast(probe(pictures, training=False), tf.float32)
        means = tf.reduce_mean(tf.reshape(answers, [count, -1, answers.shape[-1]]), 1)
        return -tf.linalg.diag_part(means[:, :count])

    return _tiles(made(loss, count, _shape(model)))


def inversion(model, image=None, level=None):
    """The picture, and one made from grey that a `level` cannot tell from it: what is lost on the way is not in it."""
    check_pictures(model, "inversion")
    picture = np.asarray(image, np.float32)
    found, error = inverted(model, picture, level)
    return [("the picture", _shown(picture)), (f"from {level or 'the deepest level'}, {error:.0%} off", _shown(found))]


def inverted(model, picture, level=None, steps=LEVEL_STEPS):
    """(picture (H, W, C), how far its features at `level` are from those of `picture`, as a share of their length)."""
    probe = keras.Model(model.input, level_layer(model, level).output)
    wanted = tf.cast(probe(picture[None], training=False), tf.float32)
    length = tf.norm(wanted)

    def loss(pictures):
        answers = tf.cast(probe(pictures, training=False), tf.float32)
        return tf.reduce_sum((answers - wanted) ** 2)[None] / tf.maximum(length**2, 1e-12)

    found = made(loss, 1, picture.shape, steps=steps, shaken=False, rough=FAINT)
    return found[0], float(np.sqrt(loss(found)[0]))


DOES = "pictures that classes, or channels of a level, answer to most"
VIEWS.add("activation_maximisation", View(activation_maximisation, False, True, DOES, True))
KNOWS = "an image, and what one level of the network still knows of it"
VIEWS.add("inversion", View(inversion, True, True, KNOWS, True))


def _shape(model):
    return tuple(model.input_shape[1:])


def _tiles(pictures):
    return [(str(i), _shown(picture)) for i, picture in enumerate(pictures)]


def _shown(picture):
    """(h, w) or (h, w, 3) in [0, 1]: of other numbers of channels their mean."""
    shown = picture if picture.shape[-1] == 3 else picture.mean(-1)
    return np.float32(np.clip(shown / WHITE, 0, 1))
