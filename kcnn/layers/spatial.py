"""Layers that move or leave out places and compute nothing."""

import keras


@keras.saving.register_keras_serializable(package="kcnn")
class Subsample(keras.layers.Layer):
    """Every `strides`-th place of each spatial axis: (B, n..., C) -> (B, ceil(n / strides)..., C)."""

    def __init__(self, strides, **kwargs):
        super().__init__(**kwargs)
        self.strides = strides

    def call(self, inputs):
        return inputs[(slice(None), *[slice(None, None, self.strides)] * (len(inputs.shape) - 2))]

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        return (batch, *(None if side is None else -(-side // self.strides) for side in sides), channels)

    def get_config(self):
        return {**super().get_config(), "strides": self.strides}
