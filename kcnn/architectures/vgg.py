"""Simonyan and Zisserman 2015, Very deep convolutional networks for large-scale image recognition."""

from dataclasses import dataclass, field, replace

from kcnn.architectures.family import Row, deepest, family, same_lengths
from kcnn.architectures.history import History
from kcnn.layers import Style, conv_norm_act, flat_hidden, max_pool

PLAIN = Style(norm="none", conv_bias=True)
NORMALISED = Style(norm="batch", conv_bias=True)


@dataclass(frozen=True)
class VGG(Row):
    """depths, filters: convolutions of each block and their channels; hidden, dropout: of the own top.

    kernel: side of all convolutions: 3 as published; 5 and 7 for comparison with two and three of 3.
    """

    residual = False

    depths: tuple[int, ...] = (2, 2, 3, 3, 3)
    filters: tuple[int, ...] = (64, 128, 256, 512, 512)
    kernel: int = 3
    hidden: tuple[int, ...] = (4096, 4096)
    dropout: float = 0.5
    style: Style = field(default=PLAIN, kw_only=True)

    def __post_init__(self):
        same_lengths(self, "depths", "filters")


TABLE = {
    "vgg11": VGG((1, 1, 2, 2, 2), params=132_863_336),
    "vgg13": VGG((2, 2, 2, 2, 2), params=133_047_848),
    "vgg16": VGG((2, 2, 3, 3, 3), params=138_357_544),
    "vgg19": VGG((2, 2, 4, 4, 4), params=143_667_240),
}
WITH_NORM = {"vgg11": 132_868_840, "vgg13": 133_053_736, "vgg16": 138_365_992, "vgg19": 143_678_248}

HISTORY = History(
    2014,
    "Simonyan and Zisserman 2014, Very deep convolutional networks for large-scale image recognition",
    "alexnet",
    "only 3×3 convolutions, stacked to see as far as larger ones with fewer weights",
)

VARIANTS = {
    "vgg_toy": VGG((1, 1, 1, 1, 1), filters=(4, 6, 8, 8, 8), hidden=(16, 16)),
    **TABLE,
    **{f"{name}_bn": replace(TABLE[name], style=NORMALISED, params=params) for name, params in WITH_NORM.items()},
}


def fully_connected(levels, row):
    """Flatten and pass through the hidden layers, which hold most of the net's parameters: (B, 4096)."""
    return flat_hidden(deepest(levels), row.hidden, row.dropout, row.style)


@family(VARIANTS, top=fully_connected, history=HISTORY)
def vgg(x, row):
    """Only 3x3 convolutions, and a pooling after each block.

    Block 1 is "c0" and so on. The small stem leaves out the pooling after block 1 (the stem is 3x3 at stride 1 as it
    is): the levels are one step lower, and the net has four of them and c0.
    """
    levels, lower = {}, int(row.stem == "small")
    for n, (depth, filters) in enumerate(zip(row.depths, row.filters, strict=True)):
        for i in range(depth):
            x = conv_norm_act(x, filters, row.kernel, style=row.style, name=f"c{n}_{i + 1}")
        levels[f"c{max(n - lower, 0)}"] = x
        if n or not lower:
            x = levels[f"c{n + 1 - lower}"] = max_pool(x, 2, strides=2, name=f"c{n + 1}_pool")
    return levels
