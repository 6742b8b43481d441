"""Dai et al. 2021, CoAtNet: convolutions where maps are large, attention with relative positions where they are small.

Against ViT: two stages of inverted residuals first, which generalise better from few pictures; against EfficientNet:
two stages of attention last, which have more capacity.
"""

from dataclasses import dataclass, field, replace

import keras

from kcnn.architectures.family import Row, deepest, family, same_lengths
from kcnn.architectures.history import History
from kcnn.errors import UserError
from kcnn.layers import (
    SelfAttention,
    Style,
    add,
    average_pool,
    conv_norm_act,
    convolve,
    dense,
    depthwise_norm_act,
    drop_path_rates,
    feed_forward,
    global_average_pool,
    normalize,
    squeeze_excite,
)

STYLE = Style(activation="gelu", padding="symmetric")


@dataclass(frozen=True)
class CoAtNet(Row):
    """depths, filters: of each stage; attention: whether it is one of attention; head_filters: channels of a head.

    stem_filters: of the two 3x3 before; hidden: units of the own top.
    """

    depths: tuple[int, ...] = (2, 3, 5, 2)
    filters: tuple[int, ...] = (96, 192, 384, 768)
    attention: tuple[bool, ...] = (False, False, True, True)
    head_filters: int = 32
    stem_filters: int = 64
    hidden: int = 768
    style: Style = field(default=STYLE, kw_only=True)

    def __post_init__(self):
        same_lengths(self, "depths", "filters", "attention")
        if any(n % self.head_filters for n, attends in zip(self.filters, self.attention, strict=True) if attends):
            raise UserError(f"filters is {self.filters!r}: with attention they must divide by {self.head_filters}")


HISTORY = History(
    2021,
    "Dai et al. 2021, CoAtNet: marrying convolution and attention for all data sizes",
    "vit_small16",
    "inverted residuals where maps are large, attention with relative positions where they are small",
)

# As in timm: coatnet_0_224.
VARIANTS = {
    "coatnet_toy": CoAtNet((1, 2, 2, 1), (8, 8, 8, 16), head_filters=4, stem_filters=8, hidden=16),
    "coatnet_0": CoAtNet(params=25_036_820),
}


def tanh_hidden(levels, row):
    """Pooling, layer norm and one hidden layer with tanh: (B, hidden)."""
    x = global_average_pool(deepest(levels), name="pool")
    x = normalize(x, replace(row.style, norm="layer", epsilon=1e-6), "pool_norm")
    return keras.layers.Activation("tanh", name="hidden_tanh")(dense(x, row.hidden, "hidden"))


@family(VARIANTS, top=tanh_hidden, ranks=(2,), history=HISTORY)
def coatnet(x, row):
    """Inverted residuals first, attention last.

    Stages keep the numbers of their levels, "c2" to "c5". The small stem leaves out its own stride and that of the
    first stage: the levels are two steps lower. Batch norm, in the style, stands for the paper's batch norm in
    convolutions and layer norm in attention; any other norm is used in both.
    """
    style, small = row.style, row.stem == "small"
    x = conv_norm_act(x, row.stem_filters, 3, strides=1 if small else 2, style=style, name="stem")
    x = convolve(x, row.stem_filters, 3, bias=False, style=style, name="stem_second")
    levels = {"c0" if small else "c1": x}
    for stage, drops in enumerate(drop_path_rates(row.depths, style.drop_path)):
        for i, rate in enumerate(drops):
            strides = 1 if i or (small and not stage) else 2
            make = _attention if row.attention[stage] else _convolution
            x = make(x, row.filters[stage], strides, not i, 4 << stage, row, rate, f"c{stage + 2}_{i + 1}")
        levels[f"c{stage if small else stage + 2}"] = x
    return levels


def _shortcut(x, filters, strides, style, name):
    """`x`, averaged over 2x2 for a stride, with other channels by 1x1 where they differ."""
    if strides > 1:
        x = average_pool(x, 2, strides=strides, name=f"{name}_pool")
    return x if x.shape[-1] == filters else convolve(x, filters, 1, bias=True, style=style, name=name)


def _convolution(x, filters, strides, first, stride, row, rate, name):
    """An inverted residual with squeeze-excite, after a norm."""
    style = row.style
    shortcut = _shortcut(x, filters, strides, style, f"{name}_shortcut") if first else x
    x = normalize(x, style, f"{name}_norm")
    x = conv_norm_act(x, 4 * filters, 1, style=style, name=f"{name}_expand")
    x = depthwise_norm_act(x, 3, strides=strides, style=style, name=f"{name}_depthwise")
    x = squeeze_excite(x, max(filters // 4, 1), kind="silu", style=style, name=f"{name}_excite")
    x = convolve(x, filters, 1, bias=True, style=style, name=f"{name}_project")
    return add(shortcut, x, rate=rate, name=name)


def _attention(x, filters, strides, first, stride, row, rate, name):
    """Attention biased by relative position on the row's grid, then two dense layers, each after a norm."""
    style = replace(row.style, norm="layer", epsilon=1e-6) if row.style.norm == "batch" else row.style
    shortcut = _shortcut(x, filters, strides, style, f"{name}_shortcut") if first else x
    y = normalize(x, style, f"{name}_attend_norm")
    y = average_pool(y, 2, strides=strides, name=f"{name}_attend_pool") if strides > 1 else y
    grid = tuple(-(-side // stride) for side in row.image[:-1])
    y = SelfAttention(filters // row.head_filters, grid, heads_first=True, name=f"{name}_attend")(
        dense(y, 3 * filters, f"{name}_qkv")
    )
    x = add(shortcut, dense(y, filters, f"{name}_attend_project"), rate=rate, name=f"{name}_attend")
    y = normalize(x, style, f"{name}_mlp_norm")
    return add(x, feed_forward(y, 4 * filters, style, f"{name}_mlp"), rate=rate, name=f"{name}_mlp")
