"""Local response normalisation: channels inhibit their neighbours.

Krizhevsky, Sutskever and Hinton 2012, ImageNet classification with deep convolutional neural networks, section 3.3.
"""

import keras
import numpy as np
from keras import ops

from kcnn.errors import UserError


@keras.saving.register_keras_serializable(package="kcnn")
class LocalResponseNormalization(keras.layers.Layer):
    """x / (bias + alpha * sum of the squares of the channels at most `radius` away) ^ beta, for (B, ..., C).

    The paper's n is 2 radius + 1, its k the bias. Computed in float32 under every policy: bfloat16 would lose alpha.
    """

    def __init__(self, radius=2, bias=2.0, alpha=1e-4, beta=0.75, **kwargs):
        super().__init__(**kwargs)
        if radius < 0 or bias <= 0 or alpha < 0 or beta < 0:
            raise UserError(
                f"radius {radius!r}, alpha {alpha!r} and beta {beta!r} must be 0 or above, and bias {bias!r} above 0"
            )
        self.radius, self.bias, self.alpha, self.beta = radius, bias, alpha, beta

    def build(self, input_shape):
        places = np.arange(input_shape[-1])
        self.neighbours = (abs(places[:, None] - places) <= self.radius).astype("float32")

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        spread = self.bias + self.alpha * ops.matmul(ops.square(x), self.neighbours)
        return ops.cast(x * self._power(spread), inputs.dtype)

    def _power(self, spread):
        """spread ^ -beta; for the papers' 3/4 from square roots, which cost less than logarithms."""
        if self.beta == 0.75:
            root = ops.rsqrt(spread)
            return root * ops.sqrt(root)
        return ops.power(spread, -self.beta)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        own = {"radius": self.radius, "bias": self.bias, "alpha": self.alpha, "beta": self.beta}
        return {**super().get_config(), **own}
