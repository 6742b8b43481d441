"""One tensor of another program as the value of one of our variables: names of kinds, axes, orders."""

import math

import keras
import numpy as np

from kcnn.architectures.vit import resampled

KERAS = "keras"
# How PyTorch's modules name what Keras's layers name otherwise.
TORCH_KINDS = {"kernel": "weight", "gamma": "weight", "alpha": "weight", "beta": "bias"}
TORCH_KINDS |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
KERAS_KINDS = {"kernel": ("kernel", "depthwise_kernel")}


def tensor_names(variable, module, program):
    """The names under which a file of `program` may have our variable `variable` of a layer.

    `module` is what the layout answered for the layer: its name there, or a dict of tensors' names.
    """
    if isinstance(module, dict):
        return [module[variable]] if variable in module else []
    if program == KERAS:
        return [f"{module}/{kind}" for kind in KERAS_KINDS.get(variable, (variable,))]
    return [f"{module}.{TORCH_KINDS.get(variable, variable)}"]


def as_ours(tensor, layer, variable, program):
    """`tensor` with the axes in the order of our variable's kind, its channels maybe others; None if it cannot be."""
    if program == KERAS or variable != "kernel":
        return tensor
    if tensor.ndim < 2 or not tensor.size:
        return None
    if isinstance(layer, keras.layers.Dense):
        return _dense(tensor, layer)
    if tensor.ndim < 3:
        tensor = tensor.reshape(*tensor.shape, *[1] * (layer.kernel.ndim - 2))
    if "Depthwise" in type(layer).__name__:
        multiplier = layer.kernel.shape[-1]
        if len(tensor) % multiplier:
            return None
        tensor = tensor.reshape(-1, multiplier, *tensor.shape[2:])  # (C x multiplier, 1, k...) of PyTorch
        return np.moveaxis(tensor, (0, 1), (-2, -1))
    return np.moveaxis(tensor, (0, 1), (-1, -2))


def _dense(tensor, layer):
    """(units, features) as (features, units); behind a flattened map the features are channels first in PyTorch."""
    tensor = tensor.reshape(tensor.shape[0], -1)
    before = flattened(layer)
    if before and np.prod(before) == tensor.shape[1]:
        *sides, channels = before
        tensor = tensor.reshape(-1, channels, *sides)
        tensor = np.moveaxis(tensor, 1, -1).reshape(len(tensor), -1)
    return tensor.T


def flattened(layer):
    """The shape (n..., C) of the map that reaches a dense layer flattened; None where it sees no map."""
    source = layer.input._keras_history.operation
    while not isinstance(source, keras.layers.Flatten) and _changes_nothing(source):
        source = source.input._keras_history.operation
    return tuple(source.input.shape[1:]) if isinstance(source, keras.layers.Flatten) else None


def _changes_nothing(layer):
    return isinstance(layer, keras.layers.Activation) or type(layer).__name__ == "Dropout"


def other_channels(kernel, channels):
    """A first kernel (k..., C, filters) for another number of input channels.

    One channel gets the sum over the old ones, so that grey pictures are answered as before; more get the old ones in
    turn, scaled so that the sum keeps its size.
    """
    before = kernel.shape[-2]
    if channels == 1:
        return kernel.sum(axis=-2, keepdims=True)
    return np.take(kernel, np.arange(channels) % before, axis=-2) * np.float32(before / channels)


def other_grid(positions, grid):
    """Positions (1, 1 + n, C), learned on a square of n places, for another `grid`; None if n is no square.

    The first is the class token's and stays as it is.
    """
    token, places = positions[:, :1], positions[:, 1:].astype("float32")
    side = math.isqrt(places.shape[1])
    if not side or side * side != places.shape[1]:
        return None
    return np.concatenate([token, np.asarray(resampled(places, (side, side), grid))], axis=1)
