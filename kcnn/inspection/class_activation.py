"""Class activation maps: what a level of the network holds where, weighed by how it speaks for one class.

Selvaraju et al. 2017, Grad-CAM; Chattopadhay et al. 2018, Grad-CAM++; Jiang et al. 2021, LayerCAM.
"""

import keras
import numpy as np
import tensorflow as tf

from kcnn.inspection.evidence import question
from kcnn.inspection.graph import deepest_levels, level_layer
from kcnn.inspection.registry import EXPLAINERS

FUSED = 3  # levels that LayerCAM looks at together


@EXPLAINERS.register("grad_cam")
def grad_cam(model, image, *, target=None, level=None):
    """Grad-CAM: how much each place of the picture speaks for one class, by the gradients at a level.

    Returns heat (H, W) float32 in [0, 1] for `image` (H, W, C).

    image: in the units that the model reads; (T, C) and (D, H, W, C) are taken too and give (T,) and (D, H, W).
    target: index of the class; see `question` for None, and for models that answer every place.
    level: a level's name ("c4"), a layer's own name, or None for the last level.

    The heat is all zero where nothing speaks for the class. Raises `UserError` for an unknown level or class.
    """
    return _heat(model, image, target, level, lambda maps, gradients: maps @ _mean(gradients))


@EXPLAINERS.register("grad_cam_plus_plus")
def grad_cam_plus_plus(model, image, *, target=None, level=None):
    """Grad-CAM++: Grad-CAM that sees all of several objects of the class, by weighing each place's gradient."""

    def weighed(maps, gradients):
        axes = tuple(range(gradients.ndim - 1))
        square, cube = gradients**2, gradients**3
        below = 2 * square + maps.sum(axes) * cube
        alpha = np.divide(square, below, out=np.zeros_like(square), where=below != 0)
        return maps @ (alpha * np.maximum(gradients, 0)).sum(axes)

    return _heat(model, image, target, level, weighed)


@EXPLAINERS.register("layer_cam")
def layer_cam(model, image, *, target=None, level=None):
    """LayerCAM: fine maps, each place weighed by its own gradient; the largest of the three deepest levels."""
    levels = deepest_levels(model, FUSED) if level is None else [level]
    heats = [_heat(model, image, target, name, lambda maps, g: (maps * np.maximum(g, 0)).sum(-1)) for name in levels]
    return np.max(heats, axis=0)


def _mean(gradients):
    return gradients.mean(tuple(range(gradients.ndim - 1)))


def _heat(model, image, target, level, combined):
    """What `combined` makes of maps and gradients (h, w, C) at a level: its positive part, at the image's size."""
    maps, gradients = _maps_and_gradients(model, image, target, level)
    return normalized(upsampled(np.maximum(combined(maps, gradients), 0), np.shape(image)[:-1]))


def _maps_and_gradients(model, image, target, level):
    layer, (outputs, ask) = level_layer(model, level), question(model, image, target)
    probe = keras.Model(model.input, [layer.output, outputs])

    # A graph leaves out the gradients of the weights, which nobody asks for. Computed eagerly for one picture they also
    # corrupt the heap: TensorFlow 2.21 with oneDNN, 1×1 kernels of stride 2 on less than 16 channels.
    @tf.function
    def run(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)  # a frozen model has no weights that would be followed by themselves
            maps, outputs = probe(inputs, training=False)
            value = ask(outputs)
        return maps[0], tape.gradient(value, maps)[0]

    inputs = tf.cast(image, tf.float32)[None]
    found = run.get_concrete_function(inputs)(inputs)
    return tuple(np.asarray(tf.cast(part, tf.float32)) for part in found)


def normalized(heat):
    """`heat` over its largest value; where that is 0, as it is."""
    return heat / heat.max() if heat.max() > 0 else heat


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
