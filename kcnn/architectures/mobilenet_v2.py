"""Sandler et al. 2018, MobileNetV2: inverted residuals and linear bottlenecks."""

from dataclasses import dataclass, field

from kcnn.architectures.family import Row, family
from kcnn.architectures.history import History
from kcnn.architectures.places import places
from kcnn.architectures.stems import light_stem
from kcnn.layers import Style, add, conv_norm, conv_norm_act, convolve, depthwise, norm_act, squeeze_excite

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
TOY_STAGES = ((1, 8, 1, 1), (2, 8, 2, 2), (2, 8, 1, 2), (2, 16, 1, 2), (2, 16, 1, 2))


@dataclass(frozen=True)
class MobileNetV2(Row):
    """stages: (expansion, filters, blocks, strides) each; width multiplies filters, kept divisible by 8."""

    stages: tuple[tuple[int, int, int, int], ...] = STAGES
    width: float = 1.0
    stem_filters: int = 32
    last_filters: int = 1280
    style: Style = field(default=Style(activation="relu6", epsilon=1e-3), kw_only=True)


HISTORY = History(
    2018,
    "Sandler et al. 2018, MobileNetV2: inverted residuals and linear bottlenecks",
    "mobilenet",
    "shortcuts between narrow maps, wide ones only inside the blocks",
)

VARIANTS = {
    "mobilenet_v2_toy": MobileNetV2(TOY_STAGES, stem_filters=8, last_filters=32),
    "mobilenet_v2": MobileNetV2(params=3_504_872),
}


@family(VARIANTS, history=HISTORY, dilates=True)
def mobilenet_v2(x, row):
    """Expand with 1x1, filter each channel by itself, project to a narrow map without activation.

    Names and levels are those of `places`.
    """
    x, levels = light_stem(x, divisible(row.stem_filters * row.width), row)
    _, _, depths, strides = zip(*row.stages, strict=True)
    for (expansion, filters, *_), blocks in zip(row.stages, places(depths, strides, row), strict=True):
        out = divisible(filters * row.width)
        for place in blocks:
            x = levels[place.level] = inverted_residual(x, out, expansion * x.shape[-1], place, style=row.style)
    last = divisible(row.last_filters * max(row.width, 1.0))
    levels[place.level] = conv_norm_act(x, last, 1, style=row.style, name="final")
    return levels


def inverted_residual(x, filters, expanded, place, kernel=3, *, excite=None, norm_act=norm_act, style):
    """A 1x1 to `expanded` channels, a depthwise filter and a 1x1 without activation: (B, ceil(n / s)..., filters).

    place: its `Place`. excite: options of `squeeze_excite` for the channels in the middle; None: without.
    norm_act: what follows the first two convolutions, called as that of `kcnn.layers` is.
    """
    shortcut, name = x, place.name
    if expanded != x.shape[-1]:
        x = convolve(x, expanded, 1, style=style, name=f"{name}_expand")
        x = norm_act(x, style, f"{name}_expand")
    walk = {"strides": place.strides, "dilation": place.dilation}
    x = depthwise(x, kernel, **walk, style=style, name=f"{name}_depthwise")
    x = norm_act(x, style, f"{name}_depthwise")
    if excite:
        x = squeeze_excite(x, **excite, style=style, name=f"{name}_excite")
    x = conv_norm(x, filters, 1, style=style, name=f"{name}_project")
    return beside(shortcut, x, place)


def beside(shortcut, x, place):
    """`x` added to what its block began from, where the standard net's shapes agree; else `x` alone."""
    if place.reduces or shortcut.shape[-1] != x.shape[-1]:
        return x
    return add(shortcut, x, rate=place.rate, name=place.name)


def divisible(channels, by=8):
    """`channels` rounded to a multiple of `by`, never down by more than a tenth."""
    rounded = max(by, int(channels + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * channels else rounded
