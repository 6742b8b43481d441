"""The normalisation layer that a Style asks for."""

import math

import keras

from kcnn.layers.style import FROZEN

if keras.backend.backend() == "tensorflow":
    from kcnn.layers.tensorflow_kernels import FusedBatchNormalization
else:
    FusedBatchNormalization = keras.layers.BatchNormalization


@keras.saving.register_keras_serializable(package="kcnn")
class FrozenBatchNormalization(FusedBatchNormalization):
    """Batch normalisation by the statistics that came with the weights, in training too; scale and shift learn."""

    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=False, mask=mask)


def normalize(x, style, name):
    """`x` (B, ..., C) normalised as `style.norm` says; "none" gives `x` itself."""
    if style.norm == "none":
        return x
    return make_normalization(style, x.shape[-1], name)(x)


def make_normalization(style, channels, name):
    """The layer itself: those called batch over batch and space, group, instance and layer within one sample."""
    if style.norm in ("batch", FROZEN):
        kind = FrozenBatchNormalization if style.norm == FROZEN else FusedBatchNormalization
        return kind(momentum=style.momentum, epsilon=style.epsilon, scale=style.norm_scale, name=name)
    if style.norm == "sync_batch":
        # Other backends compute a sharded batch as one batch: their plain statistics are already synchronous.
        synchronized = keras.backend.backend() == "tensorflow"
        return keras.layers.BatchNormalization(
            momentum=style.momentum,
            epsilon=style.epsilon,
            scale=style.norm_scale,
            synchronized=synchronized,
            name=name,
        )
    if style.norm == "layer":
        return keras.layers.LayerNormalization(epsilon=style.epsilon, scale=style.norm_scale, name=name)
    groups = channels if style.norm == "instance" else math.gcd(style.groups, channels)
    return keras.layers.GroupNormalization(groups, epsilon=style.epsilon, scale=style.norm_scale, name=name)
