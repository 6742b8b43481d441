"""He et al. 2016, Identity mappings in deep residual networks: norm and activation before each convolution.

As in keras.applications: each stage but the last halves the size in its last block, and stem, shortcuts and the last
convolution of each block have biases.
"""

from dataclasses import dataclass, field, replace
from functools import partial

from kcnn.architectures.dilation import steps
from kcnn.architectures.family import Row, family
from kcnn.architectures.history import History
from kcnn.architectures.stems import deep_stem
from kcnn.layers import Style, add, conv_norm_act, convolve, drop_path_rates, max_pool, norm_act


@dataclass(frozen=True)
class ResNetV2(Row):
    """depths: bottleneck blocks in each stage; width: channels of the first stage before the expansion by four."""

    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    style: Style = field(default=Style(padding="symmetric", epsilon=1.001e-5), kw_only=True)


FIRST = History(
    2016,
    "He et al. 2016, Identity mappings in deep residual networks",
    "resnet50_v1",
    "norm and activation before each convolution leave a clean path for the identity",
)
HISTORY = {"": FIRST} | {f"resnet{depth}v2": replace(FIRST, ancestor=f"resnet{depth}_v1") for depth in (101, 152)}

VARIANTS = {
    "resnet_v2_toy": ResNetV2((2, 1, 1, 1), width=4),
    "resnet50v2": ResNetV2((3, 4, 6, 3), params=25_568_360),
    "resnet101v2": ResNetV2((3, 4, 23, 3), params=44_577_896),
    "resnet152v2": ResNetV2((3, 8, 36, 3), params=60_236_904),
}


@family(VARIANTS, history=HISTORY, dilates=True)
def resnet_v2(x, row):
    """A clean path for the identity from the stem to the last norm.

    A stage halves the size in its last block, so its level is what that block computes from: the activated full-width
    map before the stride. Stage names keep the paper's numbers; the small stem gives levels two steps lower.
    """
    x, levels, level = deep_stem(x, row.width, row, partial(convolve, bias=True))
    reduces = [i + 1 == depth for depth in row.depths for i in range(depth)]
    walk = iter(steps([2 if reduce else 1 for reduce in reduces[:-1]] + [1], level, row))
    for stage, drops in enumerate(drop_path_rates(row.depths, row.style.drop_path)):
        for i, rate in enumerate(drops):
            step, name = next(walk), f"c{stage + 2}_{i + 1}"
            x, before = _block(x, row.width << stage, step, row, rate, first=not i, name=name)
        levels[f"c{level}"], level = before, step.level
    levels[f"c{level}"] = norm_act(x, row.style, "final")
    return levels


def _block(x, width, step, row, rate, *, first, name):
    """(block's output, its activated input): (B, n..., C) -> (B, ceil(n / strides)..., 4 x width)."""
    style, strides = row.style, step.strides
    before = norm_act(x, style, f"{name}_before")
    if first:
        shortcut = convolve(before, 4 * width, 1, strides=strides, bias=True, style=style, name=f"{name}_shortcut")
    else:
        shortcut = max_pool(x, 1, strides=strides, name=f"{name}_subsample") if strides > 1 else x
    x = conv_norm_act(before, width, 1, style=style, name=f"{name}_reduce")
    x = conv_norm_act(x, width, 3, strides=strides, dilation=step.dilation, style=style, name=f"{name}_spatial")
    x = convolve(x, 4 * width, 1, bias=True, style=style, name=f"{name}_expand")
    return add(shortcut, x, rate=rate, name=name), before
