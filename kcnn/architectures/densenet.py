"""Huang et al. 2017, Densely connected convolutional networks: where ResNets add, these nets join."""

from dataclasses import dataclass, field

from kcnn.architectures.family import Row, family
from kcnn.architectures.history import History
from kcnn.architectures.stems import deep_stem
from kcnn.layers import Style, average_pool, concatenate, conv_norm_act, convolve, norm_act


@dataclass(frozen=True)
class DenseNet(Row):
    """depths: layers of each block; growth: channels that each layer adds (the paper's k).

    bottleneck: the 1x1 before each 3x3 has that many times `growth` channels.
    compression: share of the channels that a transition between two blocks keeps.
    stem_filters: channels of the stem.
    """

    residual = False

    depths: tuple[int, ...] = (6, 12, 24, 16)
    growth: int = 32
    bottleneck: int = 4
    compression: float = 0.5
    stem_filters: int = 64
    style: Style = field(default=Style(padding="symmetric", epsilon=1.001e-5), kw_only=True)


HISTORY = History(
    2016,
    "Huang et al. 2016, Densely connected convolutional networks",
    "resnet50",
    "every layer reads all maps before it in its block, joined and not added",
)

# Epsilon as in keras.applications; torchvision's weights are made for 1e-5.
VARIANTS = {
    "densenet_toy": DenseNet((2, 1, 2, 1), growth=4, stem_filters=8),
    "densenet121": DenseNet((6, 12, 24, 16), params=7_978_856),
    "densenet169": DenseNet((6, 12, 32, 32), params=14_149_480),
    "densenet201": DenseNet((6, 12, 48, 32), params=20_013_928),
    "densenet264": DenseNet((6, 12, 64, 48), params=33_337_704),
}


@family(VARIANTS, history=HISTORY)
def densenet(x, row):
    """Every layer sees the maps of all layers before it in its block, and adds a few of its own.

    The level of a block is its full-width map after norm and activation, which the transition then compresses and
    halves (an odd side rounds up; the references round it down). Block 1 is "c2" whatever the stem; the small stem
    gives its levels two steps lower.
    """
    x, levels, step = deep_stem(x, row.stem_filters, row)
    last = len(row.depths) - 1
    for stage, depth in enumerate(row.depths):
        for i in range(depth):
            x = dense_layer(x, row, f"c{stage + 2}_{i + 1}")
        name = f"c{stage + 3}_transition" if stage < last else "final"
        x = levels[f"c{stage + step}"] = norm_act(x, row.style, f"{name}_before" if stage < last else name)
        if stage < last:
            filters = max(int(x.shape[-1] * row.compression), 1)
            x = convolve(x, filters, 1, style=row.style, name=name)
            x = average_pool(x, 2, strides=2, name=f"{name}_pool")
    return levels


def dense_layer(x, row, name):
    """Norm and activation before a 1x1 and before a 3x3, joined to its input: (B, n..., C) -> (B, n..., C + growth)."""
    y = norm_act(x, row.style, f"{name}_before")
    y = conv_norm_act(y, row.bottleneck * row.growth, 1, style=row.style, name=f"{name}_reduce")
    y = convolve(y, row.growth, 3, style=row.style, name=f"{name}_spatial")
    return concatenate([x, y], f"{name}_concat")
