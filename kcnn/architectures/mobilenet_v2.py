"""Sandler et al. 2018, MobileNetV2: inverted residuals and linear bottlenecks."""

from dataclasses import dataclass, field

from kcnn.architectures.family import Row, family
from kcnn.architectures.history import History
from kcnn.architectures.places import places
from kcnn.errors import UserError
from kcnn.layers import Style, add, conv_norm, conv_norm_act, depthwise_norm_act

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

    def __post_init__(self):
        if any(not isinstance(stage, tuple) or len(stage) != 4 for stage in self.stages):
            raise UserError(f"stages is {self.stages!r}: each must list expansion, filters, blocks, strides")


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


@family(VARIANTS, history=HISTORY)
def mobilenet_v2(x, row):
    """Expand with 1x1, filter each channel by itself, project to a narrow map without activation.

    Names keep the standard numbers. The small stem leaves out the strides of the stem and of the first stage that has
    one, so that its levels are two steps lower.
    """
    small, style = row.stem == "small", row.style
    filters = divisible(row.stem_filters * row.width)
    x = conv_norm_act(x, filters, 3, strides=1 if small else 2, style=style, name="stem")
    levels = {"c0" if small else "c1": x}
    _, _, depths, strides = zip(*row.stages, strict=True)
    for (expansion, filters, *_), blocks in zip(row.stages, places(depths, strides, row), strict=True):
        out = divisible(filters * row.width)
        for name, stride, level, rate, _ in blocks:
            x = inverted_residual(x, out, expansion, strides=stride, rate=rate, style=style, name=name)
            levels[level] = x
    last = divisible(row.last_filters * max(row.width, 1.0))
    levels[level] = conv_norm_act(x, last, 1, style=style, name="final")
    return levels


def inverted_residual(x, filters, expansion, *, strides, rate, style, name):
    """(B, n..., C) -> (B, ceil(n / strides)..., filters), with a shortcut where shapes agree."""
    shortcut = x
    if expansion > 1:
        x = conv_norm_act(x, expansion * x.shape[-1], 1, style=style, name=f"{name}_expand")
    x = depthwise_norm_act(x, 3, strides=strides, style=style, name=f"{name}_depthwise")
    x = conv_norm(x, filters, 1, style=style, name=f"{name}_project")
    if strides > 1 or shortcut.shape[-1] != filters:
        return x
    return add(shortcut, x, rate=rate, name=name)


def divisible(channels, by=8):
    """`channels` rounded to a multiple of `by`, never down by more than a tenth."""
    rounded = max(by, int(channels + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * channels else rounded
