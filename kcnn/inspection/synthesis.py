"""Pictures made to order, by going up the gradient from grey: what something in the network answers to most.

Erhan et al. 2009, Visualizing higher-layer features of a deep network (activation maximisation); Mahendran and Vedaldi
2015, Understanding deep image representations by inverting them; Olah et al. 2017, Feature visualization (pictures kept
as spectra, in which broad shapes come first, and moved a little in each step, so that no lucky pattern of pixels wins).
"""

import numpy as np
import tensorflow as tf

RATE, STEPS = 0.02, 256  # of Adam, on spectra
SHAKEN = 16  # a picture is moved by up to its side through this, either way
ROUGH = 10.0  # weight of the mean difference of neighbours, as a share of the range
WHITE = 255.0


def made(loss, count, shape, *, steps=STEPS, shaken=True, rough=ROUGH, seed=0):
    """float32 (count, H, W, C), 0 to 255: pictures of `shape` for which `loss`, pictures → (count,), is small.

    shaken: whether `loss` sees them moved by a few pixels, another way in each step; rough: weight of the mean
    difference of neighbours, as a share of the range. The same seed, the same pictures.
    """
    height, width, channels = shape
    spectra = np.random.default_rng(seed).normal(0, 0.01, (2, count, channels, height, width // 2 + 1))
    spectra = tf.Variable(spectra.astype(np.float32))
    scale = tf.constant(_scale(height, width))
    means, squares = tf.Variable(tf.zeros_like(spectra)), tf.Variable(tf.zeros_like(spectra))
    far = max(min(height, width) // SHAKEN, 1) if shaken else 0

    def pictures():
        waves = tf.complex(spectra[0] * scale, spectra[1] * scale)
        free = 0.5 + tf.transpose(tf.signal.irfft2d(waves, [height, width]), [0, 2, 3, 1])
        return WHITE * (free + tf.stop_gradient(tf.clip_by_value(free, 0, 1) - free))  # cut, but not for gradients

    @tf.function
    def step(number):
        with tf.GradientTape() as tape:
            drawn = pictures()
            moved = tf.random.stateless_uniform([2], [seed, number], -far, far + 1, tf.int32)
            seen = tf.roll(drawn, moved, [1, 2])
            edges = tf.reduce_sum(tf.image.total_variation(drawn)) / (WHITE * height * width * channels)
            total = tf.reduce_sum(loss(seen)) + rough * edges
        gradient = tape.gradient(total, spectra)
        means.assign(0.9 * means + 0.1 * gradient)
        squares.assign(0.99 * squares + 0.01 * gradient**2)
        at = tf.cast(number + 1, tf.float32)
        first, second = means / (1 - 0.9**at), squares / (1 - 0.99**at)
        rate = RATE * (0.5 + 0.5 * tf.cos(np.pi * at / steps))
        spectra.assign_sub(rate * first / (tf.sqrt(second) + 1e-8))

    for number in tf.range(steps):
        step(number)
    return pictures().numpy()


def _scale(height, width):
    """float32 (H, W // 2 + 1): by how much each wave is scaled, so that all change a picture alike: long ones most."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    return (np.sqrt(height * width) / np.maximum(frequency, 1 / max(height, width))).astype(np.float32)
