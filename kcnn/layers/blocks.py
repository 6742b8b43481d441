"""The few blocks that every family is made of: tensors in, tensor out, every layer named after its block."""

import keras

from kcnn.errors import UserError
from kcnn.layers.convolution import convolve, depthwise, global_average_pool, rank_of
from kcnn.layers.normalization import normalize
from kcnn.layers.stochastic_depth import Dropout, StochasticDepth


def activation(x, style, name, kind=None):
    """`x` through the activation of `style` (or `kind`); "linear" gives `x` itself."""
    kind = kind or style.activation
    if kind == "linear":
        return x
    if kind == "prelu":
        return keras.layers.PReLU(shared_axes=list(range(1, rank_of(x) + 1)), name=name)(x)
    return keras.layers.Activation(kind, name=name)(x)


def norm_act(x, style, name):
    """Norm, then activation: layers `name`_norm and `name`_act."""
    return activation(normalize(x, style, f"{name}_norm"), style, f"{name}_act")


def conv_norm(x, filters, kernel=1, *, strides=1, dilation=1, groups=1, style, name):
    """Convolution and norm, no activation: layers `name` and `name`_norm. (B, n..., C) -> (B, ceil(n / s)..., F)."""
    options = {"strides": strides, "dilation": dilation, "groups": groups}
    return normalize(convolve(x, filters, kernel, **options, style=style, name=name), style, f"{name}_norm")


def conv_norm_act(x, filters, kernel=1, *, strides=1, dilation=1, groups=1, style, name):
    """Convolution, norm, activation: layers `name`, `name`_norm and `name`_act."""
    options = {"strides": strides, "dilation": dilation, "groups": groups}
    x = conv_norm(x, filters, kernel, **options, style=style, name=name)
    return activation(x, style, f"{name}_act")


def depthwise_norm(x, kernel, *, strides=1, dilation=1, style, name):
    """Depthwise convolution and norm, no activation: layers `name` and `name`_norm."""
    x = depthwise(x, kernel, strides=strides, dilation=dilation, style=style, name=name)
    return normalize(x, style, f"{name}_norm")


def depthwise_norm_act(x, kernel, *, strides=1, dilation=1, style, name):
    """Depthwise convolution, norm, activation: layers `name`, `name`_norm and `name`_act."""
    x = depthwise_norm(x, kernel, strides=strides, dilation=dilation, style=style, name=name)
    return activation(x, style, f"{name}_act")


def separable_norm(x, filters, kernel=3, *, strides=1, style, name):
    """A depthwise convolution, a 1x1 one and a norm, with nothing in between (Chollet 2017).

    Layers `name`_depthwise, `name` and `name`_norm. (B, n..., C) -> (B, ceil(n / strides)..., filters).
    """
    x = depthwise(x, kernel, strides=strides, style=style, bias=False, name=f"{name}_depthwise")
    return conv_norm(x, filters, 1, style=style, name=name)


def add(shortcut, x, *, rate=0.0, name):
    """shortcut + x, the branch `x` dropped for a share `rate` of the samples: layers `name`_drop and `name`_add."""
    if rate:
        x = StochasticDepth(rate, name=f"{name}_drop")(x)
    return keras.layers.Add(name=f"{name}_add")([shortcut, x])


def dropout(x, rate, name):
    """`x` with a share `rate` of its values dropped while training; no layer at all for rate 0."""
    return Dropout(rate, name=name)(x) if rate else x


def dense_act(x, units, style, name, *, bias_start=0):
    """A fully connected layer, its bias from `bias_start` on, and the activation of `style`: `name` and `name`_act."""
    if x.shape[-1] is None:
        raise UserError(
            f"the fully connected layer {name} reads flattened maps, and input_shape leaves their size open: "
            f"state every side, or take top='pooled' (and no auxiliary classifiers)"
        )
    bias = keras.initializers.Constant(bias_start) if bias_start else "zeros"
    x = keras.layers.Dense(
        units, kernel_initializer=style.initializer(mode="fan_in"), bias_initializer=bias, name=name
    )(x)
    return activation(x, style, f"{name}_act")


def flat_hidden(x, hidden, rate, style, *, bias_start=0):
    """`x` flattened, then fully connected layers "fc1" on of `hidden` units, each with dropout: (B, last of hidden)."""
    x = keras.layers.Flatten(name="flatten")(x)
    for i, units in enumerate(hidden, start=1):
        x = dropout(dense_act(x, units, style, f"fc{i}", bias_start=bias_start), rate, f"fc{i}_dropout")
    return x


def pooled_hidden(x, units, rate, style):
    """The mean of `x` over space, one fully connected layer "hidden" and dropout: (B, units)."""
    x = dense_act(global_average_pool(x, name="pool"), units, style, "hidden")
    return dropout(x, rate, "hidden_dropout")


@keras.saving.register_keras_serializable(package="kcnn")
class PadChannels(keras.layers.Layer):
    """Zeros as further channels, (B, ..., C) -> (B, ..., filters): a shortcut to a wider stage without parameters."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters

    def call(self, inputs):
        widths = [(0, 0)] * (len(inputs.shape) - 1) + [(0, self.filters - inputs.shape[-1])]
        return keras.ops.pad(inputs, widths)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


def drop_path_rates(depths, rate):
    """The rate of stochastic depth of every block: from 0 at the first to `rate` at the last, one list a stage."""
    last = max(sum(depths) - 1, 1)
    starts = [sum(depths[:stage]) for stage in range(len(depths))]
    return [[rate * (start + i) / last for i in range(depth)] for start, depth in zip(starts, depths, strict=True)]
