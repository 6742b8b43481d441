"""Han et al. 2020, GhostNet: half of the maps are computed, the other half are cheap filters of these.

Against MobileNetV3: each 1x1 convolution gives way to a ghost module, a 1x1 to half of the channels and a depthwise
3x3 that makes the other half.
"""

from dataclasses import dataclass, field

from kcnn.architectures.family import Row, deepest, family
from kcnn.architectures.history import History
from kcnn.architectures.mobilenet_v2 import divisible
from kcnn.architectures.places import places
from kcnn.architectures.stems import light_stem
from kcnn.layers import (
    Style,
    activation,
    add,
    concatenate,
    conv_norm,
    conv_norm_act,
    depthwise_norm,
    pooled_hidden,
    squeeze_excite,
)

BLOCKS = (
    (3, 16, 16, False, 1),
    (3, 48, 24, False, 2),
    (3, 72, 24, False, 1),
    (5, 72, 40, True, 2),
    (5, 120, 40, True, 1),
    (3, 240, 80, False, 2),
    (3, 200, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 480, 112, True, 1),
    (3, 672, 112, True, 1),
    (5, 672, 160, True, 2),
    (5, 960, 160, False, 1),
    (5, 960, 160, True, 1),
    (5, 960, 160, False, 1),
    (5, 960, 160, True, 1),
)
TOY = ((3, 8, 8, False, 1), (3, 12, 8, False, 2), (5, 12, 8, True, 2), (3, 12, 8, False, 2), (3, 16, 8, True, 2))


@dataclass(frozen=True)
class GhostNet(Row):
    """One GhostNet.

    blocks: (kernel, expanded channels, filters, squeeze-excite?, strides); the kernel is that of strides and shortcuts.
    hidden, dropout: units of the own top and the share of them dropped.
    width: multiplies all channels, kept divisible by 4.
    """

    blocks: tuple[tuple[int, int, int, bool, int], ...] = BLOCKS
    hidden: int = 1280
    width: float = 1.0
    stem_filters: int = 16
    dropout: float = 0.2
    style: Style = field(default=Style(padding="symmetric"), kw_only=True)

    def channels(self, filters):
        """`filters` at this width."""
        return divisible(filters * self.width, 4)


HISTORY = History(
    2019,
    "Han et al. 2019, GhostNet: more features from cheap operations",
    "mobilenet_v3_large",
    "half of the maps are cheap depthwise copies of the other half",
)

# As in timm and the authors' own code.
VARIANTS = {
    "ghostnet_toy": GhostNet(TOY, hidden=16, stem_filters=8),
    "ghostnet": GhostNet(params=5_182_508),
}


def top(levels, row):
    """Pooling, one hidden layer and dropout: (B, hidden)."""
    return pooled_hidden(deepest(levels), row.hidden, row.dropout, row.style)


@family(VARIANTS, top=top, history=HISTORY, dilates=True)
def ghostnet(x, row):
    """Inverted residuals whose 1x1 convolutions are ghost modules.

    Names and levels are those of `places`.
    """
    x, levels = light_stem(x, row.channels(row.stem_filters), row)
    found = places([1] * len(row.blocks), [block[-1] for block in row.blocks], row)
    for block, [place] in zip(row.blocks, found, strict=True):
        x = levels[place.level] = _block(x, block, row, place)
    last = row.channels(row.blocks[-1][1])
    return levels | {place.level: conv_norm_act(x, last, 1, style=row.style, name="final")}


def _block(x, block, row, place):
    """(B, n..., C) -> (B, ceil(n / strides)..., filters), always with a shortcut."""
    kernel, expanded, filters, excite, _ = block
    expanded, filters = row.channels(expanded), row.channels(filters)
    style, name, walk = row.style, place.name, {"strides": place.strides, "dilation": place.dilation}
    shortcut = x
    if place.reduces or x.shape[-1] != filters:
        shortcut = depthwise_norm(x, kernel, **walk, style=style, name=f"{name}_shortcut_depthwise")
        shortcut = conv_norm(shortcut, filters, 1, style=style, name=f"{name}_shortcut")
    x = ghost(x, expanded, dilation=place.dilation, style=style, name=f"{name}_expand")
    if place.reduces:
        x = depthwise_norm(x, kernel, **walk, style=style, name=f"{name}_depthwise")
    if excite:
        reduced = divisible(expanded / 4, 4)
        x = squeeze_excite(x, reduced, gate="hard_sigmoid", style=style, name=f"{name}_excite")
    x = ghost(x, filters, active=False, dilation=place.behind, style=style, name=f"{name}_project")
    return add(shortcut, x, rate=place.rate, name=name)


def ghost(x, filters, *, active=True, dilation=1, style, name):
    """(B, n..., C) -> (B, n..., filters), an even number: a 1x1 to half of them, and a depthwise 3x3 of that half."""
    first = _active(conv_norm(x, filters // 2, 1, style=style, name=f"{name}_primary"), active, style, name, "primary")
    cheap = _active(
        depthwise_norm(first, 3, dilation=dilation, style=style, name=f"{name}_cheap"), active, style, name, "cheap"
    )
    return concatenate([first, cheap], f"{name}_concat")


def _active(x, active, style, name, part):
    return activation(x, style, f"{name}_{part}_act") if active else x
