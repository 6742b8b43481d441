"""Rematerialisation (Chen et al. 2016): of a network's activations only a few are kept, the rest made again.

A network is cut into about √n segments of like size where all that follows goes through one tensor. In the backward
pass a segment's forward pass is computed once more, from the same state: random seeds and batch statistics are those
of the first time, and change once.
"""

import math

import keras
import tensorflow as tf

from kcnn.errors import UserError


class Rematerialized:
    """The functional `model`, of one input and one output, as a function of a batch in training.

    Raises `UserError` for a model that has more, or that nothing can cut.
    """

    def __init__(self, model):
        functional = hasattr(model, "_nodes_by_depth")
        ends = _cuts(model) if functional and len(model.inputs) == len(model.outputs) == 1 else []
        if not ends:
            rule = "cannot be cut into segments: it must be functional, a chain from one input to one output"
            way = "model.auxiliary" if getattr(model, "auxiliary_weights", None) else "it"
            raise UserError(f"train.rematerialize: {model.name} {rule}; set {way} = false")
        self.dtype = model.inputs[0].dtype
        tensors = [model.inputs[0], *ends, model.outputs[0]]
        self.segments = [keras.Model(begin, end) for begin, end in zip(tensors, tensors[1:], strict=False)]

    def __call__(self, x, training=True):
        x = tf.cast(x, self.dtype)
        for segment in self.segments:
            x = _again_in_backward(segment, x, training)
        return x


def _cuts(model):
    """The tensors that cut `model` into segments of like size: nothing made before one is used after it."""
    nodes = [node for depth in sorted(model._nodes_by_depth, reverse=True) for node in model._nodes_by_depth[depth]]
    last_use = {id(tensor): i for i, node in enumerate(nodes) for tensor in node.arguments.keras_tensors}
    chain, whole, until = [], 0, 0  # (tensor, size of all up to it)
    for i, node in enumerate(nodes):
        if until <= i and i and len(node.outputs) == 1:
            chain.append((node.outputs[0], whole))
        until = max([until, *(last_use.get(id(tensor), i) for tensor in node.outputs)])
        whole += sum(math.prod(filter(None, tensor.shape)) for tensor in node.outputs)
    count = math.isqrt(len(nodes))
    goals = [whole * k / count for k in range(1, count)]
    chosen = {min(range(len(chain)), key=lambda i: abs(chain[i][1] - goal)) for goal in goals} if chain else ()
    return [chain[i][0] for i in sorted(chosen) if chain[i][0] is not model.outputs[0]]


def _again_in_backward(segment, x, training):
    before = [tf.identity(v.value) for v in segment.non_trainable_variables]

    def run(x, weights):
        return segment.stateless_call(weights, before, x, training=training)

    @tf.custom_gradient
    def once(x, *weights):
        outputs, after = run(x, weights)
        for variable, old, value in zip(segment.non_trainable_variables, before, after, strict=True):
            if value is not old:  # a frozen layer's weight must not be touched: TensorFlow asks for its gradient then
                variable.assign(value)

        def backward(upstream):
            with tf.control_dependencies([upstream]):  # else it is made at once, and kept
                inputs = [tf.identity(x), *map(tf.identity, weights)]
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs, _ = run(inputs[0], inputs[1:])
            return tape.gradient(outputs, inputs, upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO)

        return outputs, backward

    return once(x, *(tf.convert_to_tensor(v.value) for v in segment.trainable_variables))
