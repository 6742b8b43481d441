"""Layers that move or leave out places and compute nothing."""

import functools

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


@keras.saving.register_keras_serializable(package="kcnn")
class PadEdges(keras.layers.Layer):
    """More places on both sides of every spatial axis, made from the picture: (B, n..., C) -> (B, n + 2 margin..., C).

    margin: places on each side, one number an axis. mode: "reflect" mirrors at the edge, without the edge itself, to
    and fro where a side is shorter than the margin; "replicate" repeats the edge.
    """

    def __init__(self, margin, mode, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.margin, self.mode = tuple(margin), mode

    def call(self, inputs):
        for axis, width in enumerate(self.margin, start=1):
            last = keras.ops.shape(inputs)[axis] - 1
            places = keras.ops.arange(-width, last + 1 + width, dtype="int32")
            if self.mode == "reflect":
                turn = keras.ops.maximum(2 * last, 1)
                places = last - keras.ops.abs(last - keras.ops.mod(places, turn))
            inputs = keras.ops.take(inputs, keras.ops.clip(places, 0, last), axis=axis)
        return inputs

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        grown = (None if n is None else n + 2 * width for n, width in zip(sides, self.margin, strict=True))
        return (batch, *grown, channels)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin, "mode": self.mode}


@keras.saving.register_keras_serializable(package="kcnn")
class PadShort(keras.layers.Layer):
    """Zeros round a map of which any side is shorter than its window: as many as under "same"; else the map itself.

    For windows without padding on maps (B, n..., C) of open size. windows: places, one number an axis; strides: one
    number. The maps of nets that pool so are of 0 and above, where zeros change no maximum.
    """

    def __init__(self, windows, strides, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.windows, self.strides = tuple(windows), strides

    def call(self, inputs):
        ops, sides = keras.ops, keras.ops.shape(inputs)[1:-1]
        missing = [
            ops.cast(ops.convert_to_tensor(side) < n, "int32") for side, n in zip(sides, self.windows, strict=True)
        ]
        short = functools.reduce(ops.maximum, missing)
        pads = [(0, 0)]
        for side, window in zip(sides, self.windows, strict=True):
            total = short * ops.maximum((-(-side // self.strides) - 1) * self.strides + window - side, 0)
            pads.append((total // 2, total - total // 2))
        return ops.pad(inputs, [*pads, (0, 0)])

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *(None for _ in self.windows), input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "windows": self.windows, "strides": self.strides}
