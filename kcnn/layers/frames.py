"""Frames of zeros: levels of nets whose windows are not padded."""

import keras

from kcnn.layers.convolution import crop


@keras.saving.register_keras_serializable(package="kcnn")
class Frame(keras.layers.Layer):
    """A map that windows without padding have shrunk, put back at its place in a frame of zeros.

    Takes [map (B, m..., C), image (B, n..., D)] and gives (B, ceil(n / strides)..., C), the size that a level of that
    stride has.
    """

    def __init__(self, strides, **kwargs):
        super().__init__(**kwargs)
        self.strides = strides

    def call(self, inputs):
        x, image = inputs
        now, then = keras.ops.shape(x)[1:-1], keras.ops.shape(image)[1:-1]
        missing = [-(-side // self.strides) - found for side, found in zip(then, now, strict=True)]
        return keras.ops.pad(x, [(0, 0), *((lack // 2, lack - lack // 2) for lack in missing), (0, 0)])

    def compute_output_shape(self, input_shape):
        (batch, *_, channels), (_, *sides, _) = input_shape
        return (batch, *(None if side is None else -(-side // self.strides) for side in sides), channels)

    def get_config(self):
        return {**super().get_config(), "strides": self.strides}


def frame(x, image, strides, name):
    """`x` in a `Frame` of the size that `image` has at `strides`; `x` itself where it has that size already."""
    sides = [None if side is None else -(-side // strides) for side in image.shape[1:-1]]
    if None not in sides and tuple(sides) == tuple(x.shape[1:-1]):
        return x
    return Frame(strides, name=name)([x, image])


def unframed(level, x, name):
    """`level` without the zeros that `frame` put round `x`: `x` again, by a way that keeps the level in the network."""
    missing = [(now or 0) - (before or 0) for now, before in zip(level.shape[1:-1], x.shape[1:-1], strict=True)]
    if None in level.shape[1:-1] or not any(missing):
        return x
    return crop(level, tuple(lack // 2 for lack in missing), tuple(lack - lack // 2 for lack in missing), name)
