"""Zhang et al. 2018, ShuffleNet: grouped 1x1 convolutions, and a shuffle of channels so that groups see each other.

Against a ResNeXt's bottleneck: the 1x1 convolutions, which cost most in small nets, are grouped too, and the 3x3 is
depthwise.
"""

from dataclasses import dataclass, field

from kcnn.architectures.family import Row, family, same_lengths
from kcnn.architectures.history import History
from kcnn.errors import UserError
from kcnn.layers import (
    ShuffleChannels,
    Style,
    activation,
    add,
    average_pool,
    concatenate,
    conv_norm,
    conv_norm_act,
    depthwise_norm,
    drop_path_rates,
    max_pool,
)


@dataclass(frozen=True)
class ShuffleNet(Row):
    """depths, filters: blocks and channels of each stage; groups: of all 1x1 but the first, whose input is too narrow.

    A block's middle has a quarter of its channels, and groups must divide them.
    """

    depths: tuple[int, ...] = (4, 8, 4)
    filters: tuple[int, ...] = (240, 480, 960)
    groups: int = 3
    stem_filters: int = 24
    style: Style = field(default=Style(padding="symmetric"), kw_only=True)

    def __post_init__(self):
        same_lengths(self, "depths", "filters")
        before = (self.stem_filters, *self.filters[:-1])
        parts = [n for old, new in zip(before, self.filters, strict=True) for n in (new, new // 4, new - old)]
        if min(parts) < 1 or any(n % self.groups for n in parts):
            raise UserError(
                f"filters is {self.filters!r}: each must exceed the one before ({self.stem_filters} in the stem), and "
                f"it, its quarter and what it adds must divide by groups={self.groups}"
            )


HISTORY = History(
    2017,
    "Zhang et al. 2017, ShuffleNet: an extremely efficient convolutional neural network for mobile devices",
    "mobilenet",
    "1×1 convolutions in groups, and a shuffle so that groups hear of each other",
)

# The paper's 1x net with g = 3: 3x3 average pooling as shortcut where the size halves.
VARIANTS = {
    "shufflenet_toy": ShuffleNet((2, 1, 1), (24, 36, 48), stem_filters=12),
    "shufflenet_g3": ShuffleNet(params=1_865_728),
}


@family(VARIANTS, history=HISTORY)
def shufflenet(x, row):
    """Grouped 1x1, shuffle, depthwise 3x3, grouped 1x1.

    Stages keep the numbers of their levels, "c3" to "c5". The small stem has no stride and no pooling: the levels are
    two steps lower.
    """
    x, levels, step = stem(x, row)
    for stage, drops in enumerate(drop_path_rates(row.depths, row.style.drop_path)):
        for i, rate in enumerate(drops):
            groups = row.groups if stage or i else 1
            strides = 1 if i else 2
            x = _block(x, row.filters[stage], strides, groups, row, rate, f"c{stage + 3}_{i + 1}")
        levels[f"c{stage + step}"] = x
    return levels


def stem(x, row):
    """(x, levels so far, level of the first stage): 3x3 and pooling, or 3x3 at stride 1 alone for small pictures."""
    small = row.stem == "small"
    x = conv_norm_act(x, row.stem_filters, 3, strides=1 if small else 2, style=row.style, name="stem")
    if small:
        return x, {"c0": x}, 1
    pooled = max_pool(x, 3, strides=2, padding=row.style.padding, name="stem_pool")
    return pooled, {"c1": x, "c2": pooled}, 3


def _block(x, filters, strides, groups, row, rate, name):
    """(B, n..., C) -> (B, ceil(n / strides)..., filters): with strides the shortcut's channels stand beside the new."""
    style, shortcut = row.style, x
    out = filters - x.shape[-1] if strides > 1 else filters
    x = conv_norm_act(x, filters // 4, 1, groups=groups, style=style, name=f"{name}_reduce")
    if groups > 1:
        x = ShuffleChannels(groups, name=f"{name}_shuffle")(x)
    x = depthwise_norm(x, 3, strides=strides, style=style, name=f"{name}_depthwise")
    x = conv_norm(x, out, 1, groups=row.groups, style=style, name=f"{name}_expand")
    if strides == 1:
        return activation(add(shortcut, x, rate=rate, name=name), style, f"{name}_out")
    shortcut = average_pool(shortcut, 3, strides=strides, padding=style.padding, name=f"{name}_pool")
    return activation(concatenate([shortcut, x], f"{name}_concat"), style, f"{name}_out")
