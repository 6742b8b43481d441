"""Back to finer maps: enlarging by a whole factor and cropping, so that any size of picture has its own size again."""

import keras
from keras import ops

from kcnn.layers.convolution import rank_of

if keras.backend.backend() == "tensorflow":
    from kcnn.layers.tensorflow_kernels import resize_bilinear
else:

    def resize_bilinear(x, size):
        """`x` (B, H, W, C) at `size` (height, width)."""
        return ops.image.resize(x, size, interpolation="bilinear")


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
        height, width = ops.shape(inputs)[1:3]
        size = (height * self.factor, width * self.factor)
        return ops.cast(resize_bilinear(inputs, size), inputs.dtype)

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
