"""Maps from the gradient at the picture itself: which values, changed a little, would change the answer most.

Simonyan et al. 2014, Deep inside convolutional networks (saliency); Smilkov et al. 2017, SmoothGrad; Sundararajan et
al. 2017, Axiomatic attribution for deep networks (integrated gradients).
"""

import keras
import numpy as np
import tensorflow as tf

from kcnn.inspection.class_activation import normalized
from kcnn.inspection.evidence import question
from kcnn.inspection.registry import EXPLAINERS

NOISE, COPIES = 0.15, 24  # standard deviation as a share of the picture's range, and pictures with such noise
STEPS = 64  # on the way from the baseline to the picture
TOGETHER = 8  # pictures at once
SEED = 0


@EXPLAINERS.register("saliency")
def saliency(model, image, *, target=None, level=None):
    """Saliency: the size of the gradient at each place of the picture, of the channel where it is largest.

    Arguments and the heat (H, W) are those of `grad_cam`; there is but one level, the picture, and `level` is unused.
    """
    gradients, _ = _gradients(model, np.float32(image)[None], question(model, image, target))
    return _of_gradient(gradients[0])


@EXPLAINERS.register("smooth_grad")
def smooth_grad(model, image, *, target=None, level=None):
    """SmoothGrad: saliency of the mean gradient over copies of the picture with noise, which is far less ragged."""
    image = np.asarray(image, np.float32)
    noise = np.random.default_rng(SEED).normal(0, NOISE * np.ptp(image), (COPIES, *image.shape))
    copies = (image + noise).astype(np.float32)
    return _of_gradient(_gradients(model, copies, question(model, image, target))[0].mean(0))


@EXPLAINERS.register("integrated_gradients")
def integrated_gradients(model, image, *, target=None, level=None):
    """Integrated gradients: what each place adds to the answer on the way from black, by size; they add up to it."""
    found, _ = attributions(model, image, target=target)
    return normalized(np.abs(found.sum(-1)))


def attributions(model, image, *, target=None, baseline=0.0, steps=STEPS):
    """(what each value of `image` (H, W, C) adds, float32 of that shape; how much more the image has than `baseline`).

    The sum of the first is the second, but for the error of `steps` midpoints. baseline: a number or an image.
    """
    image = np.asarray(image, np.float32)
    start, asked = np.broadcast_to(np.float32(baseline), image.shape), question(model, image, target)
    shares = ((np.arange(steps) + 0.5) / steps).reshape(-1, *[1] * image.ndim).astype(np.float32)
    gradients, _ = _gradients(model, start + shares * (image - start), asked)
    _, (low, high) = _gradients(model, np.stack([start, image]), asked)
    return (image - start) * gradients.mean(0), float(high - low)


def _of_gradient(gradient):
    return normalized(np.abs(gradient).max(-1))


def _gradients(model, images, asked):
    """(gradients, shaped as `images` (N, H, W, C), and values (N,)) of what a `question` says."""
    outputs, ask = asked
    probe = keras.Model(model.input, outputs)

    @tf.function(input_signature=[tf.TensorSpec((None, *images.shape[1:]), tf.float32)])
    def run(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            values = ask(probe(inputs, training=False))
        return tape.gradient(values, inputs), values

    parts = [run(tf.constant(images[start : start + TOGETHER])) for start in range(0, len(images), TOGETHER)]
    return tuple(np.concatenate([part[i].numpy() for part in parts]) for i in range(2))
