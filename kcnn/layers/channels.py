"""Layers that scale, choose and reorder channels."""

import keras

from kcnn.errors import UserError


@keras.saving.register_keras_serializable(package="kcnn")
class LayerScale(keras.layers.Layer):
    """Each channel of x (B, ..., C) times its own learned factor, `initial` at the start.

    Touvron et al. 2021, Going deeper with image transformers: a branch that starts small lets a deep net start as the
    identity.
    """

    def __init__(self, initial=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.initial = float(initial)

    def build(self, input_shape):
        start = keras.initializers.Constant(self.initial)
        self.gamma = self.add_weight(shape=(input_shape[-1],), initializer=start, name="gamma")

    def call(self, inputs):
        return inputs * keras.ops.cast(self.gamma, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "initial": self.initial}


@keras.saving.register_keras_serializable(package="kcnn")
class ShuffleChannels(keras.layers.Layer):
    """Channels of `groups` equal groups dealt out in turn: a b c | d e f becomes a d b e c f. C must divide by groups.

    Zhang et al. 2018, ShuffleNet: it lets the next grouped convolution see every group.
    """

    def __init__(self, groups, **kwargs):
        super().__init__(**kwargs)
        self.groups = groups

    def build(self, input_shape):
        if input_shape[-1] % self.groups:
            raise UserError(f"{self.name}: {input_shape[-1]} channels do not divide into {self.groups} groups")

    def call(self, inputs):
        shape, channels = keras.ops.shape(inputs), inputs.shape[-1]
        axes = len(inputs.shape)
        x = keras.ops.reshape(inputs, (*shape[:-1], self.groups, channels // self.groups))
        x = keras.ops.transpose(x, (*range(axes - 1), axes, axes - 1))
        return keras.ops.reshape(x, (*shape[:-1], channels))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "groups": self.groups}


@keras.saving.register_keras_serializable(package="kcnn")
class TakeChannels(keras.layers.Layer):
    """The channels from `start` to before `stop` of x: (B, ..., C) -> (B, ..., stop - start)."""

    def __init__(self, start, stop, **kwargs):
        super().__init__(**kwargs)
        self.start, self.stop = start, stop

    def build(self, input_shape):
        if not 0 <= self.start < self.stop <= input_shape[-1]:
            raise UserError(f"{self.name}: {input_shape[-1]} channels have no {self.start} to {self.stop}")

    def call(self, inputs):
        return inputs[..., self.start : self.stop]

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.stop - self.start)

    def get_config(self):
        return {**super().get_config(), "start": self.start, "stop": self.stop}


def concatenate(parts, name):
    """Tensors (B, n..., C_i) side by side: (B, n..., sum of C_i)."""
    return keras.layers.Concatenate(name=name)(parts)


def split_channels(x, sizes, name):
    """`x` (B, n..., C) as a list of tensors of `sizes` channels: layers `name`_1, `name`_2, ..."""
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    pairs = zip(sizes, ends, strict=True)
    return [TakeChannels(end - size, end, name=f"{name}_{i}")(x) for i, (size, end) in enumerate(pairs, start=1)]
