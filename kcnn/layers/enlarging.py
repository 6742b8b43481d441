"""Back to finer maps: enlarging by a whole factor and cropping, so that any size of picture has its own size again."""

import keras
import numpy as np
from keras import ops

from kcnn.layers.convolution import rank_of

INTERPOLATIONS = ("nearest", "bilinear")


@keras.saving.register_keras_serializable(package="kcnn")
class Enlarge(keras.layers.Layer):
    """A map (B, n..., C) `factor` times as large along every axis, then cropped at its end.

    `image` (B, m..., ?) says to what size: ceil(m / strides), that of a level at this stride. As the factor is whole,
    what a place becomes does not depend on the size of the picture.

    interpolation: "nearest" repeats places, for maps of any rank; "bilinear" is for pictures.
    """

    def __init__(self, factor, strides=1, interpolation="nearest", **kwargs):
        super().__init__(**kwargs)
        self.factor, self.strides, self.interpolation = factor, strides, interpolation

    def build(self, inputs_shape, image_shape):
        self.built = True

    def call(self, inputs, image):
        larger = self._bilinear(inputs) if self.interpolation == "bilinear" else self._nearest(inputs)
        sides = ops.shape(image)[1:-1]
        return larger[(slice(None), *(slice(0, -(-side // self.strides)) for side in sides))]

    def _bilinear(self, inputs):
        """As `ops.image.resize`, which takes no sizes that a graph finds out while it runs."""
        for axis in range(1, len(inputs.shape) - 1):
            inputs = self._between(inputs, axis)
        return inputs

    def _between(self, x, axis):
        """`factor` places for each along `axis`, between its middle and those of its neighbours."""
        first, last = (ops.take(x, ops.arange(1) + at, axis=axis) for at in (0, ops.shape(x)[axis] - 1))
        inner = [slice(None)] * axis
        before = ops.concatenate([first, x[(*inner, slice(0, -1))]], axis)
        after = ops.concatenate([x[(*inner, slice(1, None))], last], axis)
        offset = (np.arange(self.factor) + 0.5) / self.factor - 0.5
        shares = np.stack([1 - np.abs(offset), np.maximum(-offset, 0), np.maximum(offset, 0)])
        shares = ops.convert_to_tensor(shares.reshape(3, -1, *[1] * (len(x.shape) - axis - 1)), x.dtype)
        parts = (ops.expand_dims(part, axis + 1) for part in (x, before, after))
        made = sum(shares[i] * part for i, part in enumerate(parts))
        sides = list(ops.shape(x))
        sides[axis] = sides[axis] * self.factor
        return ops.reshape(made, sides)

    def _nearest(self, inputs):
        for axis in range(1, len(inputs.shape) - 1):
            inputs = ops.repeat(inputs, self.factor, axis=axis)
        return inputs

    def compute_output_shape(self, inputs_shape, image_shape):
        sides = (None if side is None else -(-side // self.strides) for side in image_shape[1:-1])
        return (inputs_shape[0], *sides, inputs_shape[-1])

    def get_config(self):
        own = {"factor": self.factor, "strides": self.strides, "interpolation": self.interpolation}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="kcnn")
class Spread(keras.layers.Layer):
    """One place (B, 1..., C) at all the places of another map (B, n..., ?): (B, n..., C)."""

    def build(self, inputs_shape, like_shape):
        self.built = True

    def call(self, inputs, like):
        return ops.broadcast_to(inputs, (*ops.shape(like)[:-1], inputs.shape[-1]))

    def compute_output_shape(self, inputs_shape, like_shape):
        return (*like_shape[:-1], inputs_shape[-1])


def enlarge(x, image, factor, *, strides=1, smooth=False, dtype=None, name):
    """`x` (B, n..., C) `factor` times as large, with the size that a level at `strides` of `image` has; layer `name`.

    smooth: bilinear, where `x` is that of a picture; signals and volumes repeat their places.
    """
    interpolation = "bilinear" if smooth and rank_of(x) == 2 else "nearest"
    return Enlarge(factor, strides, interpolation, dtype=dtype, name=name)(x, image)
