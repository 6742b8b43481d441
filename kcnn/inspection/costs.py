"""What a network costs: multiply-adds, activations, depth, counted from the layers of its graph.

Multiply-adds are those of convolutions, fully connected layers and attention for one image, as the papers count them;
norms, activations and pooling are left out. A convolution takes C_in / groups * k^rank of them for each of its outputs.
"""

import math

import keras


def multiply_adds(model):
    """Multiply-adds of one image through `model`; every side of its input must be known."""
    return sum(_multiply_adds(layer) for layer in model.layers)


def activation_bytes(model):
    """Bytes of all layers' outputs for one image in float32: what a step of training keeps, a picture."""
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    return 4 * sum(_size(tensor.shape) for layer in layers for tensor in keras.tree.flatten(layer.output))


def depth(model):
    """Layers with weights, norms left out, on the longest way from the input to the main output."""
    lengths = {}
    for layer in model.layers:
        before = max((lengths[source] for source in sources(layer)), default=0)
        lengths[layer] = before + _counts(layer)
    return max(lengths.values())


def sources(layer):
    """The layers of the graph whose outputs `layer` reads."""
    nodes = layer._inbound_nodes[:1]
    return [tensor._keras_history.operation for node in nodes for tensor in node.input_tensors]


def _multiply_adds(layer):
    if hasattr(layer, "multiply_adds"):
        return layer.multiply_adds(layer.input.shape)
    if not hasattr(layer, "kernel"):
        return 0
    places = _size(layer.output.shape[:-1] if _is_dense(layer) else layer.output.shape[1:-1])
    if "Transpose" in type(layer).__name__:
        places = _size(layer.input.shape[1:-1])
    return places * math.prod(layer.kernel.shape)


def _counts(layer):
    """Whether a layer counts in the depth of a network: a convolution or a fully connected one."""
    return int(hasattr(layer, "kernel") or hasattr(layer, "multiply_adds"))


def _is_dense(layer):
    return isinstance(layer, keras.layers.Dense)


def _size(shape):
    return math.prod(side for side in shape if side is not None)
