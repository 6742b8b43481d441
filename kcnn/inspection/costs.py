"""What a network costs: multiply-adds, activations, depth, counted from the layers of its graph.

Multiply-adds are those of convolutions, fully connected layers and attention for one image, as the papers count them;
norms, activations and pooling are left out. A convolution takes C_in / groups * k^rank of them for each of its outputs.
"""

import math

import keras


def multiply_adds(model):
    """Multiply-adds of one image through `model`; every side of its input must be known."""
    return sum(parts * _multiply_adds(layer) for layer, parts in _parts(model).items())


def activation_bytes(model):
    """Bytes of all layers' outputs for one image in float32: what a step of training keeps, a picture."""
    sizes = [parts * sum(map(_size, _shapes(layer.output))) for layer, parts in _parts(model).items()]
    return 4 * sum(sizes)


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


def _parts(model):
    """{layer: into how many parts one image is cut where it computes}: 1 but for attention in windows."""
    found = {}
    for layer in model.layers:
        before = [found.get(source, 1) for source in sources(layer)]
        if not isinstance(layer, keras.layers.InputLayer):
            found[layer] = layer.parts(*_shapes(layer.input)) if hasattr(layer, "parts") else before[0]
    return found


def _multiply_adds(layer):
    if hasattr(layer, "multiply_adds"):
        return layer.multiply_adds(*_shapes(layer.input))
    if not hasattr(layer, "kernel"):
        return 0
    places = _size(layer.output.shape[:-1] if _is_dense(layer) else layer.output.shape[1:-1])
    if "Transpose" in type(layer).__name__:
        places = _size(layer.input.shape[1:-1])
    return places * math.prod(layer.kernel.shape)


def _counts(layer):
    """Whether a layer counts in the depth of a network: a convolution or a fully connected one."""
    return int(hasattr(layer, "kernel"))


def _is_dense(layer):
    return isinstance(layer, keras.layers.Dense)


def _shapes(tensors):
    return [tensor.shape for tensor in keras.tree.flatten(tensors)]


def _size(shape):
    return math.prod(side for side in shape if side is not None)
