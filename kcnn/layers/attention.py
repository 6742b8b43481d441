"""Attention: which channels matter (squeeze and excitation).

Hu et al. 2018, Squeeze-and-excitation networks.
"""

import keras

from kcnn.layers.blocks import activation
from kcnn.layers.convolution import convolve, global_average_pool


def squeeze_excite(x, reduced, *, kind=None, gate="sigmoid", style, name):
    """`x` (B, n..., C) times a gate of 0 to 1 a channel, computed from the mean of all channels.

    Pooling, a 1x1 convolution to `reduced` channels, an activation, a 1x1 convolution back to C, a gate: both
    convolutions have biases and no norm. Layers `name`_pool, `name`_reduce, `name`_act, `name`_expand, `name`_gate and
    `name`_scale.

    reduced: channels in the middle; the papers differ in what they are a share of, so families compute it.
    kind: activation in the middle where the paper fixes one (its layer is then `name`_inner); None: that of `style`.
    gate: "sigmoid", "hard_sigmoid" or another activation.
    """
    means = global_average_pool(x, keepdims=True, name=f"{name}_pool")
    scale = convolve(means, reduced, 1, bias=True, style=style, name=f"{name}_reduce")
    scale = activation(scale, style, f"{name}_inner" if kind else f"{name}_act", kind)
    scale = convolve(scale, x.shape[-1], 1, bias=True, style=style, name=f"{name}_expand")
    scale = activation(scale, style, f"{name}_gate", gate)
    return keras.layers.Multiply(name=f"{name}_scale")([x, scale])
