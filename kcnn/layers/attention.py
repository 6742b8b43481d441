"""Attention: which channels matter (squeeze and excitation), and which places (self-attention, non-local blocks).

Hu et al. 2018, Squeeze-and-excitation networks; Vaswani et al. 2017, Attention is all you need; Wang et al. 2018,
Non-local neural networks.
"""

import math

import keras
from keras import ops

from kcnn.errors import UserError
from kcnn.layers.blocks import activation, add
from kcnn.layers.channels import LayerScale
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


def non_local(x, *, style, name):
    """`x` (B, n..., C) and what one head of attention over all its places adds to it: the identity at the start.

    Every place sees every other, so memory grows with the square of the number of places: it is for small maps. Layers
    `name`_qkv, `name`_attend, `name`_project, `name`_scale and `name`_add.
    """
    inner = max(x.shape[-1] // 2, 1)
    y = convolve(x, 3 * inner, 1, bias=True, style=style, name=f"{name}_qkv")
    y = SelfAttention(1, scaled=False, name=f"{name}_attend")(y)
    y = convolve(y, x.shape[-1], 1, bias=True, style=style, name=f"{name}_project")
    return add(x, LayerScale(0.0, name=f"{name}_scale")(y), name=name)


def dense(x, units, name):
    """`x` (B, ..., C) to (B, ..., units) with bias, started as transformers are (Glorot)."""
    return keras.layers.Dense(units, kernel_initializer="glorot_uniform", name=name)(x)


def feed_forward(x, hidden, style, name):
    """Two dense layers at every place of `x`: layers `name`_expand, `name`_act and `name`_project."""
    y = activation(dense(x, hidden, f"{name}_expand"), style, f"{name}_act")
    return dense(y, x.shape[-1], f"{name}_project")


@keras.saving.register_keras_serializable(package="kcnn")
class SelfAttention(keras.layers.Layer):
    """Every place asks all places: queries, keys and values (B, n..., 3 C) side by side -> (B, n..., C).

    heads: how many share the channels, each with a softmax of its own, which is float32 at least.
    grid: (h, w) adds a learned bias by the relative position of two places of a map (B, n, m, 3 C); distances beyond
        those of a map of that size count as the farthest.
    heads_first: the channels are each head's query, key and value in turn, not all queries, all keys, all values.
    scaled: divide by the square root of a head's channels, as transformers do and non-local blocks do not.
    """

    def __init__(self, heads, grid=None, heads_first=False, scaled=True, **kwargs):
        super().__init__(**kwargs)
        self.heads, self.heads_first, self.scaled = heads, heads_first, scaled
        self.grid = tuple(grid) if grid else None

    def build(self, inputs_shape):
        if inputs_shape[-1] % (3 * self.heads):
            raise UserError(f"{self.name}: {inputs_shape[-1] // 3} channels do not divide into {self.heads} heads")
        if self.grid:
            places = (2 * self.grid[0] - 1) * (2 * self.grid[1] - 1)
            start = keras.initializers.TruncatedNormal(stddev=0.02)
            self.table = self.add_weight(shape=(places, self.heads), initializer=start, name="relative_position")

    def call(self, inputs):
        return self.attend(inputs, self.position_bias(inputs) if self.grid else None)

    def attend(self, inputs, bias):
        """Attention over all places of `inputs`; `bias` (?, heads, places, places) is added before the softmax."""
        shape, width = ops.shape(inputs), inputs.shape[-1] // 3
        inner = (self.heads, 3) if self.heads_first else (3, self.heads)
        parts = ops.reshape(inputs, (shape[0], -1, *inner, width // self.heads))
        query, key, value = (parts[:, :, :, i] if self.heads_first else parts[:, :, i] for i in range(3))
        if self.scaled:
            query = query * ops.cast((width // self.heads) ** -0.5, query.dtype)
        scores = ops.einsum("bnhd,bmhd->bhnm", query, key)
        scores = ops.cast(scores, keras.backend.result_type(scores.dtype, "float32"))
        if bias is not None:
            scores = scores + ops.cast(bias, scores.dtype)
        weights = ops.cast(ops.softmax(scores, axis=-1), value.dtype)
        return ops.reshape(ops.einsum("bhnm,bmhd->bnhd", weights, value), (*shape[:-1], width))

    def position_bias(self, inputs):
        """(1, heads, places, places) of a map."""
        (height, width), (rows, columns) = ops.shape(inputs)[1:3], self.grid
        table = ops.reshape(self.table, (2 * rows - 1, 2 * columns - 1, self.heads))
        down, right = _distances(height, rows, table.dtype), _distances(width, columns, table.dtype)
        bias = ops.einsum("qki,ijh->qkjh", down, table)  # two small products: a gather would have sparse gradients
        bias = ops.einsum("rlj,qkjh->hqrkl", right, bias)
        return ops.reshape(bias, (1, self.heads, height * width, height * width))

    def multiply_adds(self, inputs_shape):
        """Those of the two products, queries with keys and weights with values, for one sample of known size."""
        places = math.prod(inputs_shape[1:-1])
        return 2 * places**2 * (inputs_shape[-1] // 3)

    def compute_output_shape(self, inputs_shape):
        return (*inputs_shape[:-1], inputs_shape[-1] // 3)

    def get_config(self):
        own = {"heads": self.heads, "grid": self.grid, "heads_first": self.heads_first, "scaled": self.scaled}
        return {**super().get_config(), **own}


def _distances(size, reach, dtype):
    """(size, size, 2 reach - 1), one-hot: what is between two places of an axis, from -(reach - 1) to reach - 1."""
    places = ops.arange(size, dtype="int32")
    between = ops.clip(places[:, None] - places[None, :], 1 - reach, reach - 1)
    return ops.one_hot(between + reach - 1, 2 * reach - 1, dtype=dtype)
