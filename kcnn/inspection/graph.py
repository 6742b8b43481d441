"""Where things are in a model's graph: its logits, its feature vector, the level that a name means.

Works on any functional `keras.Model`, ours or a user's, as long as the place asked for lies in the outermost graph;
layers inside a nested model have no tensor there.
"""

import keras

from kcnn.errors import UserError, unknown_name
from kcnn.models import levels

SQUASHING = {"softmax", "sigmoid", "log_softmax"}


def logits_of(model):
    """The model's raw outputs (B, K) as a symbolic tensor, before a softmax or sigmoid that it may end with."""
    layer, inputs = _producer(model)
    if isinstance(layer, keras.layers.Softmax):
        return inputs
    if _activation(layer) not in SQUASHING:
        return model.output
    if isinstance(layer, keras.layers.Dense):
        return keras.ops.matmul(inputs, layer.kernel) + (0 if layer.bias is None else layer.bias)
    return inputs if isinstance(layer, keras.layers.Activation) else model.output


def scores_of(model):
    """The scores (B, K), 0 to 1, of those outputs: softmax, or sigmoid of a single one and where the model has it."""
    logits = keras.ops.cast(logits_of(model), "float32")
    alone = logits.shape[-1] == 1 or _activation(_producer(model)[0]) == "sigmoid"
    return keras.ops.sigmoid(logits) if alone else keras.ops.softmax(logits)


def features_of(model):
    """What the model's last layer with weights reads, as a symbolic tensor (B, F): the image's feature vector."""
    layer, inputs = _producer(model)
    while not layer.weights:
        if isinstance(layer, keras.layers.InputLayer):
            raise UserError(f"model {model.name!r} has no layer with weights, so it has no features")
        layer, inputs = _producer_of(inputs)
    return inputs if len(inputs.shape) == 2 else keras.layers.Flatten()(inputs)


def level_layer(model, level=None):
    """The layer meant by `level`: a level name such as "c4", a layer's own name, or the last level when None."""
    named = _named_levels(model)
    level = _last(model, named) if level is None else level
    name = named.get(level, level)
    known = {layer.name: layer for layer in model.layers}
    if name not in known:
        raise unknown_name("level or layer", level, [*named, *_spatial(model)])
    if name not in _spatial(model):
        raise UserError(f"layer {name!r} has no spatial axes to show; choose one of {', '.join(named) or 'the others'}")
    return known[name]


def deepest_levels(model, count):
    """Names of the `count` deepest levels that show places; of a user's own model, of the last such layer alone."""
    named, spatial = _named_levels(model), _spatial(model)
    found = [level for level, name in named.items() if name in spatial]
    return found[-count:] or [_last(model, named)]


def _named_levels(model):
    try:
        return levels(model)
    except UserError:  # a user's own model, which has layers and no levels
        return {}


def _activation(layer):
    return getattr(getattr(layer, "activation", None), "__name__", "")


def _producer(model):
    if not isinstance(model, keras.Model) or not getattr(model, "outputs", None):
        raise UserError(f"model {getattr(model, 'name', model)!r} has no graph to look into; build it functionally")
    if len(model.outputs) > 1:
        raise UserError(f"model {model.name!r} has {len(model.outputs)} outputs; only one can be explained")
    return _producer_of(model.outputs[0])


def _producer_of(tensor):
    """(layer that made `tensor`, the tensor it was made from)."""
    history = tensor._keras_history
    made_from = history.operation._inbound_nodes[history.node_index].input_tensors
    return history.operation, made_from[0] if made_from else tensor


def _spatial(model):
    """Names of the layers whose output (B, spatial..., C) is one tensor with the spatial axes of the image."""
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    outputs = {layer.name: getattr(layer, "output", None) for layer in layers}
    rank = len(model.inputs[0].shape)
    return [name for name, output in outputs.items() if hasattr(output, "shape") and len(output.shape) == rank > 2]


def _last(model, named):
    """The name of the last level or, in a user's own model, of the last layer with spatial axes."""
    if named:
        return list(named)[-1]
    spatial = _spatial(model)
    if not spatial:
        raise UserError(f"model {model.name!r} has no layer with spatial axes, so no place can be pointed at")
    if hasattr(model, "level_layers"):
        raise UserError(
            f"model {model.name!r} answers from no level, so none can be shown: name a layer, such as "
            f"level={spatial[-1]!r}, or train it with model.top = 'pooled'"
        )
    return spatial[-1]
