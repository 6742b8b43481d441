"""Standardize: the scaling that belongs to the model, so that training and serving feed the same values."""

import keras
import numpy as np

from kcnn.errors import UserError

MID_GREY = 127.5  # mean and std that bring the bytes of a picture to -1 … 1


@keras.saving.register_keras_serializable(package="kcnn")
class Standardize(keras.layers.Layer):
    """(x - mean) / std in float32 under every dtype policy: bfloat16 would keep 8 bits of the picture.

    mean and std are one number or one number a channel of the input (B, ..., C), in the units of the raw data; std must
    be above 0. They are constants, not weights.
    """

    def __init__(self, mean=0.0, std=1.0, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.mean = np.atleast_1d(np.asarray(mean, "float32"))
        self.std = np.atleast_1d(np.asarray(std, "float32"))
        if not (np.isfinite(self.mean).all() and np.isfinite(self.std).all() and (self.std > 0).all()):
            raise UserError(f"mean {mean!r} and std {std!r} must be finite, and std above 0")

    def build(self, input_shape):
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values.ndim != 1 or len(values) not in (1, input_shape[-1]):
                raise UserError(
                    f"{name} has {values.size} values for {input_shape[-1]} channels: give one, or one each"
                )

    def call(self, inputs):
        return (keras.ops.cast(inputs, "float32") - self.mean) * (1.0 / self.std)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "mean": self.mean.tolist(), "std": self.std.tolist()}
