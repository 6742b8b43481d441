"""Dropout and stochastic depth with random numbers of their own.

Unlike Keras's, their seed generators are named after the layer, so that a checkpoint finds their state again, and their
draws are float32 under every policy: bfloat16 knows only 128 numbers between 1/2 and 1, which would bend small rates.

Huang et al. 2016, Deep networks with stochastic depth.
"""

import keras

from kcnn.errors import UserError


@keras.saving.register_keras_serializable(package="kcnn")
class Dropout(keras.layers.Layer):
    """While training, zeroes a share `rate` (0 to below 1) of the values and scales the rest by 1 / (1 - rate)."""

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise UserError(f"dropout rate must be from 0 to below 1, not {rate!r}")
        self.rate = float(rate)
        self.seed = seed
        self.supports_masking = True
        self.seed_generator = keras.random.SeedGenerator(seed, name=f"{self.name}_seed") if rate else None
        self.built = True

    def noise_shape(self, inputs):
        """The shape of one draw; axes of length 1 share it."""
        return keras.ops.shape(inputs)

    def call(self, inputs, training=False):
        if not training or not self.rate:
            return inputs
        draw = keras.random.uniform(self.noise_shape(inputs), dtype="float32", seed=self.seed_generator)
        keep = keras.ops.cast(draw >= self.rate, inputs.dtype)
        return inputs * keep * keras.ops.cast(1.0 / (1.0 - self.rate), inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable(package="kcnn")
class SpatialDropout(Dropout):
    """While training, drops whole channels of a sample with probability `rate`; the others are scaled up."""

    def noise_shape(self, inputs):
        shape = keras.ops.shape(inputs)
        return (shape[0],) + (1,) * (len(inputs.shape) - 2) + (shape[-1],)


@keras.saving.register_keras_serializable(package="kcnn")
class StochasticDepth(Dropout):
    """While training, drops whole samples of a residual branch with probability `rate`; the others are scaled up."""

    def noise_shape(self, inputs):
        return (keras.ops.shape(inputs)[0],) + (1,) * (len(inputs.shape) - 1)
