"""A moving average of all weights, batch statistics included, which often answers better than the last weights."""

from contextlib import contextmanager

import keras
import tensorflow as tf


class MovingAverage:
    """Shadow copies of a model's floating-point weights: shadow ← d · shadow + (1 - d) · weight after each step.

    d is `decay`, and lower in the first steps: min(decay, (1 + t) / (10 + t)).
    """

    def __init__(self, model, decay):
        self.decay = decay
        self.weights = [v for v in model.weights if keras.backend.is_float_dtype(v.dtype)]
        self.shadows = [tf.Variable(v.value, trainable=False) for v in self.weights]

    def update(self, step):
        """Move every shadow after step number `step` (a float tensor, counted from 0); called inside the step."""
        keep = tf.minimum(self.decay, (1.0 + step) / (10.0 + step))
        for shadow, weight in zip(self.shadows, self.weights, strict=True):
            shadow.assign_sub(tf.cast(1.0 - keep, shadow.dtype) * (shadow - weight.value))

    @contextmanager
    def in_place(self):
        """Within the block the model holds the averages; afterwards its own weights, copied back bit for bit."""
        own = [tf.identity(v.value) for v in self.weights]
        self._assign(self.shadows)
        try:
            yield
        finally:
            self._assign(own)

    def _assign(self, values):
        for weight, value in zip(self.weights, values, strict=True):
            weight.assign(value)
