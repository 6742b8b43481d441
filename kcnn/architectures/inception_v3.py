"""Szegedy et al. 2016, Rethinking the Inception architecture for computer vision.

GoogLeNet with its large kernels factorised: 5x5 into two 3x3, 7x7 into 1x7 and 7x1, and norms after every convolution.
"""

from dataclasses import dataclass, field

from kcnn.architectures.family import Row, family
from kcnn.architectures.history import History
from kcnn.layers import (
    Style,
    average_pool,
    concatenate,
    convolve,
    frame,
    max_pool,
    norm_act,
    rank_of,
    unframed,
    unpadded,
    zero_pad,
)


@dataclass(frozen=True)
class InceptionV3(Row):
    """pooled: filters behind the pooling in each module at stride 8; factorised: inner filters of each at stride 16.

    last: modules at stride 32. width multiplies all filters.
    style.padding "symmetric" counts zeros beyond the edge in the modules' averages, as torchvision does.
    """

    residual = False

    pooled: tuple[int, ...] = (32, 64, 64)
    factorised: tuple[int, ...] = (128, 160, 160, 192)
    last: int = 2
    width: float = 1.0
    style: Style = field(default=Style(epsilon=1e-3, norm_scale=False), kw_only=True)


HISTORY = History(
    2015,
    "Szegedy et al. 2015, Rethinking the Inception architecture for computer vision",
    "googlenet",
    "large kernels factorised into smaller and into one-sided ones",
)

VARIANTS = {
    "inception_v3_toy": InceptionV3((32,), (128,), last=1, width=1 / 16),
    "inception_v3": InceptionV3(params=23_817_352, image=(299, 299, 3)),
}


@family(VARIANTS, history=HISTORY)
def inception_v3(x, row):
    """Large kernels factorised, along one axis after the other where they are largest.

    Along each axis means 1x7 and 7x1 for pictures, one of 7 for signals, three for volumes. Convolutions and poolings
    that halve the size are not padded: levels are their maps in frames of zeros. The small stem leaves out the first
    stride and pooling and pads: the levels are two steps lower.
    """
    net, image, levels = _Parts(row), x, {}
    step = 2 if net.small else 0
    x = net.conv(x, 32, 3, "stem", strides=1 if net.small else 2, tight=True)
    x = net.conv(x, 32, 3, "c1_2", tight=True)
    x = net.conv(x, 64, 3, "c1_3")
    if not net.small:
        levels["c1"] = frame(x, image, 2, "c1_frame")
        x = net.halve(x, "c1_pool")
    x = net.conv(x, 80, 1, "c2_1")
    x = net.conv(x, 192, 3, "c2_2", tight=True)
    levels[f"c{2 - step}"] = frame(x, image, 4 >> step, "c2_frame")
    x = net.halve(x, "c2_pool")
    for i, pooled in enumerate(row.pooled):
        x = net.small_kernels(x, pooled, f"c3_{i + 1}")
    levels[f"c{3 - step}"] = frame(x, image, 8 >> step, "c3_frame")
    x = net.first_reduction(x, "c4_1")
    for i, inner in enumerate(row.factorised):
        x = net.factorised(x, inner, f"c4_{i + 2}")
    levels[f"c{4 - step}"] = frame(x, image, 16 >> step, "c4_frame")
    x = net.second_reduction(x, "c5_1")
    for i in range(row.last):
        x = net.spread(x, f"c5_{i + 2}")
    levels[f"c{5 - step}"] = frame(x, image, 32 >> step, "c5_frame")
    return {**levels, "last": unframed(levels[f"c{5 - step}"], x, "last")}


class _Parts:
    """The modules of one row, as in the authors' code; figures are the paper's."""

    def __init__(self, row):
        self.row, self.style, self.small = row, row.style, row.stem == "small"

    def conv(self, x, filters, kernel, name, *, strides=1, tight=False):
        """Convolution, norm, activation; `tight`: without padding, behind the standard stem."""
        options = {"padding": unpadded(x, kernel)} if tight and not self.small else {}
        filters = max(round(filters * self.row.width), 1)
        return norm_act(
            convolve(x, filters, kernel, strides=strides, style=self.style, name=name, **options), self.style, name
        )

    def halve(self, x, name):
        return max_pool(x, 3, strides=2, padding="same" if self.small else unpadded(x, 3), name=name)

    def chain(self, x, steps, name):
        """One convolution after the other: `steps` are (filters, kernel)."""
        for i, (filters, kernel) in enumerate(steps, start=1):
            x = self.conv(x, filters, kernel, f"{name}_{i}")
        return x

    def project(self, x, filters, name):
        if self.style.padding == "symmetric":
            x = average_pool(zero_pad(x, 1, 1, f"{name}_pad"), 3, strides=1, padding="valid", name=f"{name}_pool")
        else:
            x = average_pool(x, 3, strides=1, name=f"{name}_pool")
        return self.conv(x, filters, 1, f"{name}_project")

    def small_kernels(self, x, pooled, name):
        """Figure 5 has two 3x3 in place of every 5x5; the authors' code keeps one 5x5 beside them."""
        single = self.conv(x, 64, 1, f"{name}_single")
        wide = self.chain(x, [(48, 1), (64, 5)], f"{name}_wide")
        double = self.chain(x, [(64, 1), (96, 3), (96, 3)], f"{name}_double")
        return concatenate([single, wide, double, self.project(x, pooled, name)], f"{name}_concat")

    def first_reduction(self, x, name):
        """Figure 10: strided convolutions beside a pooling."""
        wide = self.conv(x, 384, 3, f"{name}_wide", strides=2, tight=True)
        double = self.chain(x, [(64, 1), (96, 3)], f"{name}_double")
        double = self.conv(double, 96, 3, f"{name}_double_3", strides=2, tight=True)
        return concatenate([wide, double, self.halve(x, f"{name}_pool")], f"{name}_concat")

    def factorised(self, x, inner, name):
        """Figure 6: 7 along one axis after the other, once and twice."""
        axes = _along(x, 7)
        single = self.conv(x, 192, 1, f"{name}_single")
        wide = self.chain(x, _steps(inner, [1, *axes[::-1]], 192), f"{name}_wide")
        double = self.chain(x, _steps(inner, [1, *axes, *axes], 192), f"{name}_double")
        return concatenate([single, wide, double, self.project(x, 192, name)], f"{name}_concat")

    def second_reduction(self, x, name):
        """As the first reduction, with 7 along one axis after the other before the second stride."""
        axes = _along(x, 7)
        wide = self.conv(self.conv(x, 192, 1, f"{name}_wide_1"), 320, 3, f"{name}_wide_2", strides=2, tight=True)
        double = self.chain(x, _steps(192, [1, *axes[::-1]], 192), f"{name}_double")
        double = self.conv(double, 192, 3, f"{name}_double_{len(axes) + 2}", strides=2, tight=True)
        return concatenate([wide, double, self.halve(x, f"{name}_pool")], f"{name}_concat")

    def spread(self, x, name):
        """Figure 7: 3 along each axis side by side, which makes the last maps wide."""
        axes = _along(x, 3)[::-1]
        single = self.conv(x, 320, 1, f"{name}_single")
        wide = self.chain(x, [(384, 1)], f"{name}_wide")
        wide = [self.conv(wide, 384, kernel, f"{name}_wide_2{'abc'[i]}") for i, kernel in enumerate(axes)]
        double = self.chain(x, [(448, 1), (384, 3)], f"{name}_double")
        double = [self.conv(double, 384, kernel, f"{name}_double_3{'abc'[i]}") for i, kernel in enumerate(axes)]
        return concatenate([single, *wide, *double, self.project(x, 192, name)], f"{name}_concat")


def _along(x, size):
    """The kernels of `size` along one axis and 1 along the others, the first axis first."""
    rank = rank_of(x)
    return [tuple(size if axis == long else 1 for axis in range(rank)) for long in range(rank)]


def _steps(inner, kernels, out):
    return [(inner, kernel) for kernel in kernels[:-1]] + [(out, kernels[-1])]
