"""Residual networks and their relatives: v1.5, v1, wide, ResNeXt, the CIFAR nets and plain nets without shortcuts.

He et al. 2016, Deep residual learning for image recognition; Zagoruyko and Komodakis 2016, Wide residual networks;
Xie et al. 2017, Aggregated residual transformations for deep neural networks.
"""

from dataclasses import dataclass, field, replace

from kcnn.architectures.dilation import first_strides, steps
from kcnn.architectures.family import Row, family
from kcnn.architectures.history import History
from kcnn.architectures.stems import deep_stem
from kcnn.errors import UserError, unknown_name
from kcnn.layers import (
    PadChannels,
    Style,
    Subsample,
    activation,
    add,
    conv_norm,
    conv_norm_act,
    drop_path_rates,
)

SHORTCUTS = ("projection", "pad", "none")
SYMMETRIC = Style(padding="symmetric")
V1 = Style(padding="symmetric", epsilon=1.001e-5, conv_bias=True)


@dataclass(frozen=True)
class ResNet(Row):
    """One residual network.

    depths: blocks in each stage; the stages after the first halve the size and double the width.
    width: channels of the first stage (before a bottleneck's expansion).
    bottleneck: 1x1, 3x3, 1x1 with four times the channels at its end, instead of two 3x3.
    groups, group_width: of a bottleneck's 3x3; its channels are groups x (channels x group_width / 64).
    early_stride: v1 halves the size in the bottleneck's first 1x1; v1.5 in its 3x3.
    shortcut: "projection" (1x1 where shapes differ), "pad" (subsampled, zeros as new channels) or "none".
    stem_width: channels of the stem; None: those of the first stage.
    first_stride: 2 halves the size in the first stage too: cheaper, with more of the weights where pictures are small.
    """

    depths: tuple[int, ...] = (2, 2, 2, 2)
    width: int = 64
    bottleneck: bool = False
    groups: int = 1
    group_width: int = 64
    early_stride: bool = False
    shortcut: str = "projection"
    stem_width: int | None = None
    first_stride: int = 1
    style: Style = field(default=SYMMETRIC, kw_only=True)

    @property
    def residual(self):
        """Plain nets have no branches."""
        return self.shortcut != "none"

    def __post_init__(self):
        if self.shortcut not in SHORTCUTS:
            raise unknown_name("shortcut", self.shortcut, SHORTCUTS)
        if self.first_stride not in (1, 2):
            raise UserError(f"first_stride is {self.first_stride}: it must be 1 or 2, as levels are")
        if self.bottleneck and self.width * self.group_width < 64:
            least = -(-64 // self.width)
            raise UserError(f"group_width is {self.group_width}: with width={self.width} it must be {least} or more")
        out = 4 * self.width if self.bottleneck else self.width
        if self.shortcut == "pad" and (self.stem_width or 0) > out:
            raise UserError(f"stem_width is {self.stem_width}: with shortcut='pad' it must be {out} or less")


def _cifar(depth, params, shortcut="pad"):
    """The CIFAR net of 6 n + 2 layers: three stages of 16, 32 and 64 channels behind a small stem."""
    n = (depth - 2) // 6
    small = {"image": (32, 32, 3), "classes": 10, "stem": "small"}
    return ResNet((n, n, n), width=16, shortcut=shortcut, params=params, **small)


DEEP = {"bottleneck": True}
FIRST = {"bottleneck": True, "early_stride": True, "style": V1}

HISTORY = {
    "": History(
        2015,
        "He et al. 2015, Deep residual learning for image recognition",
        "vgg19",
        "blocks add what they compute to their input, so that depth no longer hurts",
    ),
    "plain": History(
        2015,
        "He et al. 2015, Deep residual learning for image recognition",
        "vgg19",
        "the convolutions of the residual net without its shortcuts, for comparison",
    ),
    "wide_resnet": History(
        2016,
        "Zagoruyko and Komodakis 2016, Wide residual networks",
        "resnet50",
        "wider bottlenecks in place of more blocks",
    ),
    "resnext": History(
        2016,
        "Xie et al. 2016, Aggregated residual transformations for deep neural networks",
        "resnet50",
        "many narrow paths side by side, as one grouped convolution",
    ),
}
HISTORY |= {f"resnet{depth}": replace(HISTORY[""], ancestor=f"plain{depth}") for depth in (20, 34, 56)}
HISTORY |= {f"{kind}101": replace(HISTORY[kind], ancestor="resnet101") for kind in ("wide_resnet", "resnext")}

VARIANTS = {
    "resnet_toy": ResNet((1, 1, 1, 1), width=8),
    "resnext_toy": ResNet((1, 1), width=8, groups=4, group_width=32, **DEEP),
    "resnet18": ResNet((2, 2, 2, 2), params=11_689_512),
    "resnet34": ResNet((3, 4, 6, 3), params=21_797_672),
    "resnet50": ResNet((3, 4, 6, 3), params=25_557_032, **DEEP),
    "resnet101": ResNet((3, 4, 23, 3), params=44_549_160, **DEEP),
    "resnet152": ResNet((3, 8, 36, 3), params=60_192_808, **DEEP),
    "resnet50_v1": ResNet((3, 4, 6, 3), params=25_583_592, **FIRST),
    "resnet101_v1": ResNet((3, 4, 23, 3), params=44_601_832, **FIRST),
    "resnet152_v1": ResNet((3, 8, 36, 3), params=60_268_520, **FIRST),
    "wide_resnet50_2": ResNet((3, 4, 6, 3), group_width=128, params=68_883_240, **DEEP),
    "wide_resnet101_2": ResNet((3, 4, 23, 3), group_width=128, params=126_886_696, **DEEP),
    "resnext50_32x4d": ResNet((3, 4, 6, 3), groups=32, group_width=4, params=25_028_904, **DEEP),
    "resnext101_32x8d": ResNet((3, 4, 23, 3), groups=32, group_width=8, params=88_791_336, **DEEP),
    "resnet20": _cifar(20, 269_722),
    "resnet32": _cifar(32, 464_154),
    "resnet56": _cifar(56, 853_018),
    "plain20": _cifar(20, 269_722, "none"),
    "plain34": ResNet((3, 4, 6, 3), shortcut="none", params=21_623_848),
    "plain56": _cifar(56, 853_018, "none"),
}


@family(VARIANTS, history=HISTORY, dilates=True)
def resnet(x, row):
    """Add the input to what the block computes.

    Stages keep the paper's numbers: conv2_x is "c2", whatever the stem. With the standard stem that is also the level's
    name; the small stem leaves out a stride of 4, so that the same stage gives the level two steps lower.
    """
    x, levels, start = deep_stem(x, row.stem_width or row.width, row)
    if row.first_stride == 2:
        levels[f"c{start}"] = x
    rates = drop_path_rates(row.depths, row.style.drop_path)
    walk = iter(steps(first_strides(row.depths, (row.first_stride, *[2] * (len(rates) - 1))), start, row))
    for stage, drops in enumerate(rates):
        for i, rate in enumerate(drops):
            step = next(walk)
            x = block(x, row.width << stage, step, row=row, rate=rate, name=f"c{stage + 2}_{i + 1}")
        levels[f"c{step.level}"] = x
    return levels


def block(x, width, step, *, row, rate, name):
    """One residual block, (B, n..., C) -> (B, ceil(n / strides)..., width or 4 x width), walking as `step` says."""
    out = 4 * width if row.bottleneck else width
    shortcut = _shortcut(x, out, strides=step.strides, row=row, name=name)
    x = (_bottleneck if row.bottleneck else _two_convolutions)(x, width, step, row=row, name=name)
    if shortcut is not None:
        x = add(shortcut, x, rate=rate, name=name)
    return activation(x, row.style, f"{name}_out")


def _shortcut(x, filters, *, strides, row, name):
    if row.shortcut == "none":
        return None
    if strides == 1 and x.shape[-1] == filters:
        return x
    if row.shortcut == "pad":
        x = Subsample(strides, name=f"{name}_subsample")(x) if strides > 1 else x
        return PadChannels(filters, name=f"{name}_channels")(x)
    return conv_norm(x, filters, 1, strides=strides, style=row.style, name=f"{name}_shortcut")


def _bottleneck(x, width, step, *, row, name):
    inner = width * row.group_width // 64 * row.groups
    early, late = (step.strides, 1) if row.early_stride else (1, step.strides)
    spatial = {"strides": late, "dilation": step.behind if row.early_stride else step.dilation, "groups": row.groups}
    x = conv_norm_act(x, inner, 1, strides=early, style=row.style, name=f"{name}_reduce")
    x = conv_norm_act(x, inner, 3, **spatial, style=row.style, name=f"{name}_spatial")
    return conv_norm(x, 4 * width, 1, style=row.style, name=f"{name}_expand")


def _two_convolutions(x, width, step, *, row, name):
    first = {"strides": step.strides, "dilation": step.dilation}
    x = conv_norm_act(x, width, 3, **first, style=row.style, name=f"{name}_first")
    return conv_norm(x, width, 3, dilation=step.behind, style=row.style, name=f"{name}_second")
