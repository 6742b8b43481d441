"""Receptive fields: which places of the input one place of a tensor is computed from, layer by layer.

A place p along an axis of a tensor sees the input from `jump * p + low` to `jump * p + high`. A window of k places,
strides s, dilation d and p_0 places of padding before turns that into jump * s, low - jump * p_0 and
high + jump * (d * (k - 1) - p_0); tensors that are joined see the union (Araujo et al. 2019, Computing receptive
fields of convolutional neural networks). Global operations (pooling over the picture, norms over space, attention) see
everything: fields are given with them and, as the papers give them, as if they were cut. Attention within windows is
cut too, and said: what it shows depends on where in its window a place lies.
"""

from dataclasses import dataclass, replace

import keras

from kcnn.errors import UserError
from kcnn.inspection.costs import sources
from kcnn.layers import Frame, MergeWindows, WindowAttention
from kcnn.models import levels

POINTWISE = {
    *("InputLayer", "Activation", "ReLU", "PReLU", "LeakyReLU", "Softmax", "Identity"),
    *("Dropout", "SpatialDropout", "StochasticDepth"),
    *("Standardize", "Rescaling", "PadChannels", "PadShort", "LayerScale", "ShuffleChannels", "TakeChannels"),
    *("LocalResponseNormalization", "LayerNormalization"),
    *("BatchNormalization", "FusedBatchNormalization", "FrozenBatchNormalization"),
    *("Add", "Multiply", "Concatenate", "Average", "Maximum", "Subtract", "Dense", "PartitionWindows", "MergeWindows"),
}
FIRST_INPUT = (Frame, MergeWindows, WindowAttention)  # their second only tells a size
WINDOWED = ("Conv", "Pooling", "Subsample", "SpaceToDepth", "Frame", "PadEdges", "ZeroPadding", "Cropping")


@dataclass(frozen=True)
class Field:
    """What one place sees along one axis: see the head of this file.

    whole: a global operation shows it everything. windows: attention within windows shows it more than the field.
    cut: nothing else leads to it, so that low and high mean nothing.
    """

    jump: int = 1
    low: int = 0
    high: int = 0
    whole: bool = False
    windows: bool = False
    cut: bool = False

    @property
    def size(self):
        """Pixels from the first to the last that it sees, global operations cut."""
        return self.high - self.low + 1


def receptive_fields(model):
    """{level: one `Field` an axis} for a model from `build_model` whose input sides are all known."""
    found = fields_of_layers(model)
    return {level: found[model.get_layer(name)] for level, name in levels(model).items()}


def fields_of_layers(model):
    """{layer: one `Field` an axis} for all layers of a functional model; refuses transposed convolutions."""
    found, rank = {}, len(model.inputs[0].shape) - 2
    for layer in model.layers:
        before = [found[source] for source in sources(layer)]
        before = before[:1] if isinstance(layer, FIRST_INPUT) else before
        joined = tuple(_join([fields[axis] for fields in before]) for axis in range(rank)) if before else None
        found[layer] = _after(layer, joined) if joined else (Field(),) * rank
    return found


def _after(layer, fields):
    kind = type(layer).__name__
    if "Transpose" in kind:
        raise UserError(
            f"layer {layer.name!r} is a transposed convolution, of which no receptive field is counted: "
            "ask for a model that ends before it"
        )
    if kind in POINTWISE:
        return fields
    if isinstance(layer, WindowAttention) and max(layer.input[1].shape[1:-1]) > layer.window:
        return tuple(replace(field, windows=True, cut=True) for field in fields)
    if any(word in kind for word in WINDOWED) and not kind.startswith("Global"):
        sides = keras.tree.flatten(layer.input)[0].shape[1:-1]
        return tuple(_through(field, layer, axis, sides[axis]) for axis, field in enumerate(fields))
    return tuple(replace(field, whole=True, cut=True) for field in fields)


def _join(fields):
    """The union of what joined tensors see; those behind a global operation count only if there are no others."""
    local = [field for field in fields if not field.cut] or fields
    return Field(
        local[0].jump,
        min(field.low for field in local),
        max(field.high for field in local),
        any(field.whole for field in fields),
        any(field.windows for field in fields),
        all(field.cut for field in fields),
    )


def _through(field, layer, axis, side):
    window, stride, dilation, before = _window(layer, axis, side)
    reach = dilation * (window - 1)
    low = field.low - field.jump * before
    return replace(field, jump=field.jump * stride, low=low, high=field.high + field.jump * (reach - before))


def _window(layer, axis, side):
    """(places, stride, dilation, places of padding before) of a layer along one axis of `side` places."""
    kind = type(layer).__name__
    if kind == "SpaceToDepth":
        return 2, 2, 1, 0
    if kind == "Subsample":
        return 1, layer.strides, 1, 0
    if kind == "PadEdges":
        return 1, 1, 1, layer.margin[axis]
    if kind == "Frame":
        return 1, 1, 1, (layer.output.shape[1 + axis] - side) // 2
    if kind.startswith(("ZeroPadding", "Cropping")):
        margins = layer.padding if kind.startswith("Zero") else layer.cropping
        first = margins[axis] if isinstance(margins[axis], int) else margins[axis][0]
        first = margins[0] if isinstance(margins[0], int) else first  # of one axis: (before, after)
        return 1, 1, 1, first if kind.startswith("Zero") else -first
    pools = isinstance(layer, keras.layers.Layer) and hasattr(layer, "pool_size")
    window = _along(layer.pool_size if pools else layer.kernel_size, axis)
    stride, dilation = _along(layer.strides, axis), 1 if pools else _along(layer.dilation_rate, axis)
    if layer.padding != "same":
        return window, stride, dilation, 0
    total = max((-(-side // stride) - 1) * stride + dilation * (window - 1) + 1 - side, 0)
    return window, stride, dilation, total // 2


def _along(value, axis):
    return value if isinstance(value, int) else value[axis]
