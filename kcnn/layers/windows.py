"""Attention within windows of a map, shifted from block to block.

Liu et al. 2021, Swin transformer: hierarchical vision transformer using shifted windows.
"""

import math

import keras
from keras import ops

from kcnn.layers.attention import SelfAttention

FAR = -100.0  # added to scores of places that the shift brought together and that are no neighbours


@keras.saving.register_keras_serializable(package="kcnn")
class PartitionWindows(keras.layers.Layer):
    """(B, H, W, C) -> (B x windows, window, window, C), after zeros up to a multiple of `window` and a turn by `shift`.

    A map of no more than one window along an axis is not shifted along it.
    """

    def __init__(self, window, shift=0, **kwargs):
        super().__init__(**kwargs)
        self.window, self.shift = window, shift

    def call(self, inputs):
        _, height, width, channels = ops.shape(inputs)
        tall, wide = (_whole(side, self.window) for side in (height, width))
        x = ops.pad(inputs, ((0, 0), (0, tall - height), (0, wide - width), (0, 0)))
        shifts = [-_shift(side, self.window, self.shift) for side in (tall, wide)]
        x = ops.roll(x, shifts, axis=(1, 2)) if self.shift else x
        x = ops.reshape(x, (-1, tall // self.window, self.window, wide // self.window, self.window, channels))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, self.window, self.window, channels))

    def parts(self, inputs_shape):
        """Into how many windows one sample is cut."""
        return math.prod(_whole(side, self.window) // self.window for side in inputs_shape[1:-1])

    def compute_output_shape(self, inputs_shape):
        return (None, self.window, self.window, inputs_shape[-1])

    def get_config(self):
        return {**super().get_config(), "window": self.window, "shift": self.shift}


@keras.saving.register_keras_serializable(package="kcnn")
class MergeWindows(PartitionWindows):
    """Windows (B x windows, window, window, C) back to the map (B, H, W, C) like `whole`, from which they were cut."""

    def build(self, inputs_shape, whole_shape):
        self.built = True

    def call(self, inputs, whole):
        _, height, width, _ = ops.shape(whole)
        tall, wide = (_whole(side, self.window) for side in (height, width))
        x = ops.reshape(
            inputs, (-1, tall // self.window, wide // self.window, self.window, self.window, inputs.shape[-1])
        )
        x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, tall, wide, inputs.shape[-1]))
        shifts = [_shift(side, self.window, self.shift) for side in (tall, wide)]
        x = ops.roll(x, shifts, axis=(1, 2)) if self.shift else x
        return x[:, :height, :width]

    def parts(self, inputs_shape, whole_shape):
        """One: the map is whole again."""
        return 1

    def compute_output_shape(self, inputs_shape, whole_shape):
        return (*whole_shape[:-1], inputs_shape[-1])


@keras.saving.register_keras_serializable(package="kcnn")
class WindowAttention(SelfAttention):
    """Self-attention within windows (B x windows, window, window, 3 C), biased by relative position.

    `whole` (B, H, W, ?) is the map from which they were cut: where a shifted window holds places from both ends of it,
    these do not see each other.
    """

    def __init__(self, heads, window, shift=0, **kwargs):
        super().__init__(heads, grid=(window, window), **kwargs)
        self.window, self.shift = window, shift

    def build(self, inputs_shape, whole_shape):
        super().build(inputs_shape)

    def call(self, inputs, whole):
        bias = self.position_bias(inputs)
        if not self.shift:
            return self.attend(inputs, bias)
        mask = self.mask(*ops.shape(whole)[1:3])
        bias = ops.cast(bias, mask.dtype) + mask
        return self.attend(inputs, ops.tile(bias, (ops.shape(inputs)[0] // ops.shape(mask)[0], 1, 1, 1)))

    def mask(self, height, width):
        """(windows, 1, places, places): 0, or `FAR` between places that the turn brought together."""
        tall, wide = (_whole(side, self.window) for side in (height, width))
        regions = 3 * self._regions(tall)[:, None] + self._regions(wide)[None, :]
        regions = ops.reshape(regions, (tall // self.window, self.window, wide // self.window, self.window))
        regions = ops.reshape(ops.transpose(regions, (0, 2, 1, 3)), (-1, 1, self.window**2))
        return ops.where(regions[:, :, :, None] == regions[:, :, None, :], 0.0, FAR)

    def _regions(self, side):
        places, shift = ops.arange(side, dtype="int32"), _shift(side, self.window, self.shift)
        late = ops.cast(places >= side - self.window, "int32") + ops.cast(places >= side - shift, "int32")
        return late * ops.cast(shift > 0, "int32")

    def multiply_adds(self, inputs_shape, whole_shape):
        """As of `SelfAttention`, in one window."""
        return super().multiply_adds(inputs_shape)

    def compute_output_shape(self, inputs_shape, whole_shape):
        return super().compute_output_shape(inputs_shape)

    def get_config(self):
        parent = super().get_config()
        kept = {name: parent[name] for name in parent if name != "grid"}
        return {**kept, "window": self.window, "shift": self.shift}


@keras.saving.register_keras_serializable(package="kcnn")
class SpaceToDepth(keras.layers.Layer):
    """Blocks of 2x2 places side by side, (B, H, W, C) -> (B, ceil(H / 2), ceil(W / 2), 4 C), column by column."""

    def call(self, inputs):
        _, height, width, _ = ops.shape(inputs)
        x = ops.pad(inputs, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
        parts = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return ops.concatenate(parts, axis=-1)

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        return (batch, *(None if side is None else -(-side // 2) for side in sides), 4 * channels)


def _whole(side, window):
    """`side` up to the next multiple of `window`."""
    return -(-side // window) * window


def _shift(side, window, shift):
    if isinstance(side, int):
        return shift if side > window else 0
    return ops.where(side > window, shift, 0)
