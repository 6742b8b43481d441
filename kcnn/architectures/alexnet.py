"""Krizhevsky, Sutskever and Hinton 2012, ImageNet classification with deep convolutional neural networks.

LeNet's plan on photographs: sixteen times as wide, ReLU for tanh, overlapping pooling, dropout. The later row is that
of Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks: no groups, no local normalisation.
"""

from dataclasses import dataclass, field

from kcnn.architectures.family import Row, check_size, family, is_within
from kcnn.architectures.history import History
from kcnn.errors import UserError
from kcnn.layers import (
    LocalResponseNormalization,
    Style,
    convolve,
    flat_hidden,
    frame,
    max_pool,
    norm_act,
    unframed,
    unpadded,
    zero_pad,
)

SMALLEST, SMALLEST_WITH_SMALL_STEM = 11, 8
KERNELS = (11, 5, 3, 3, 3)
POOLED = (0, 1, 4)
PLAIN = Style(norm="none")


@dataclass(frozen=True)
class AlexNet(Row):
    """filters, groups: of the five convolutions; hidden, dropout: of the own top.

    pool: side of the windows that are pooled, always at stride 2: 3 overlaps, 2 does not and gives the same sizes.
    margin: zeros around the picture. local_norm: local response normalisation after the first two convolutions.
    ones: biases start at 1 in convolutions 2, 4, 5 and the hidden layers, so that their ReLUs are alive at first.
    """

    residual = False

    filters: tuple[int, ...] = (96, 256, 384, 384, 256)
    groups: tuple[int, ...] = (1, 2, 1, 2, 2)
    hidden: tuple[int, ...] = (4096, 4096)
    dropout: float = 0.5
    pool: int = 3
    margin: int = 0
    local_norm: bool = True
    ones: bool = True
    style: Style = field(default=Style(norm="none", kernel_std=0.01), kw_only=True)

    def __post_init__(self):
        if len(self.filters) != 5 or len(self.groups) != 5:
            raise UserError(f"AlexNet has 5 filters and 5 groups, not {self.filters!r} and {self.groups!r}")
        before = (1, *self.filters[:-1])
        if any(n % g or old % g for old, n, g in zip(before, self.filters, self.groups, strict=True)):
            raise UserError(
                f"groups is {self.groups!r}: the first must be 1, and each must divide the filters of its convolution "
                f"and of the one before, which are {self.filters!r}"
            )


LATER = {"groups": (1, 1, 1, 1, 1), "margin": 2, "local_norm": False, "ones": False, "style": PLAIN}

HISTORY = {
    "": History(
        2012,
        "Krizhevsky et al. 2012, ImageNet classification with deep convolutional neural networks",
        "lenet5",
        "deeper and wider, with ReLU, dropout, overlapping pooling and the groups of two GPUs",
    ),
    "alexnet_owt": History(
        2014,
        "Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks",
        "alexnet",
        "without groups and local response normalisation, and narrower",
    ),
}

VARIANTS = {
    "alexnet_toy": AlexNet((8, 12, 8, 12, 8), hidden=(16, 16), style=PLAIN),
    "alexnet": AlexNet(params=60_965_224, image=(227, 227, 3)),
    "alexnet_owt": AlexNet((64, 192, 384, 256, 256), params=61_100_840, **LATER),
}


def fully_connected(levels, row):
    """Flatten the last map and pass it through the hidden layers, each with dropout: (B, 4096)."""
    return flat_hidden(levels["last"], row.hidden, row.dropout, row.style, bias_start=int(row.ones))


@family(VARIANTS, top=fully_connected, history=HISTORY)
def alexnet(x, row):
    """Large kernels first, pooled where windows overlap; the second, fourth and fifth see half of the channels each.

    The first convolution (stride 4) is the stem and gives "c2"; it and the poolings are not padded, and levels are
    their maps in frames of zeros. The small stem leaves out its stride: the levels are two steps lower.
    """
    image, small = x, row.stem == "small"
    level, levels = 0 if small else 2, {}
    for i, filters in enumerate(row.filters):
        x = _stem(x, row) if i == 0 else _convolution(x, filters, i, row)
        levels[f"c{level}"] = frame(x, image, 1 << level, f"{_name(i)}_frame")
        if i in POOLED:
            level += 1
            padding = "same" if small else unpadded(x, row.pool)
            x = max_pool(x, row.pool, strides=2, padding=padding, name=f"{_name(i)}_pool")
            levels[f"c{level}"] = frame(x, image, 1 << level, f"{_name(i)}_pool_frame")
    return {**levels, "last": unframed(levels[f"c{level}"], x, "last")}


def _name(i):
    return f"conv{i + 1}" if i else "stem"


def _stem(x, row):
    if row.stem == "small":
        x = convolve(x, row.filters[0], 3, bias=True, style=row.style, name="stem")
    else:
        check_size(x, SMALLEST, "alexnet", small_stem=is_within(x, SMALLEST_WITH_SMALL_STEM))
        x = zero_pad(x, row.margin, row.margin, "stem_margin") if row.margin else x
        x = convolve(x, row.filters[0], KERNELS[0], strides=4, padding="valid", bias=True, style=row.style, name="stem")
    return _after(x, row, "stem", row.local_norm)


def _convolution(x, filters, i, row):
    start = int(row.ones and i in (1, 3, 4))
    options = {"groups": row.groups[i], "bias": True, "bias_start": start, "style": row.style, "name": _name(i)}
    return _after(convolve(x, filters, KERNELS[i], **options), row, _name(i), row.local_norm and i == 1)


def _after(x, row, name, local_norm):
    x = norm_act(x, row.style, name)
    return LocalResponseNormalization(name=f"{name}_local")(x) if local_norm else x
