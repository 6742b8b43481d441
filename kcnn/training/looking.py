"""Looking into a functional model: the values of its inner tensors for a batch, whatever the shape of its inputs."""

import keras


def is_open(model):
    """True for a functional model, whose layers' outputs can be asked for."""
    layers = getattr(model, "layers", None)
    return bool(layers and getattr(model, "inputs", None)) and all(hasattr(layer, "output") for layer in layers)


def looker(model, tensors):
    """A function (x, training) -> list of the values of `tensors`, symbolic ones of `model`.

    `x` is what the model takes: a tensor, several in order, or a dict by the inputs' names.
    """
    inside = keras.Model(model.inputs, tensors)

    def look(x, training):
        return keras.tree.flatten(inside(in_order(model, x), training=training))

    return look


def in_order(model, x):
    """The tensors of a batch `x` as a list, in the order of `model.inputs`."""
    names = [tensor.name for tensor in model.inputs]
    if isinstance(x, dict) and set(names) <= set(x):
        return [x[name] for name in names]
    return keras.tree.flatten(x)
