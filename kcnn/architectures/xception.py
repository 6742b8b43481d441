"""Chollet 2017, Xception: deep learning with depthwise separable convolutions.

The extreme of Inception, space and channels fully apart, in a ResNet's shape.
"""

from dataclasses import dataclass, field

from kcnn.architectures.family import Row, family
from kcnn.architectures.history import History
from kcnn.layers import (
    Style,
    activation,
    add,
    conv_norm,
    convolve,
    drop_path_rates,
    frame,
    max_pool,
    norm_act,
    separable_norm,
    unframed,
    unpadded,
)


@dataclass(frozen=True)
class Xception(Row):
    """stem_filters: of the two convolutions before the blocks; entry: filters of the blocks that lead to stride 16.

    middle: blocks at stride 16, three separable convolutions each. exit: the two filters of the block that leads to
    stride 32; last: of the two separable convolutions after it.
    """

    stem_filters: tuple[int, int] = (32, 64)
    entry: tuple[int, int, int] = (128, 256, 728)
    middle: int = 8
    exit: tuple[int, int] = (728, 1024)
    last: tuple[int, int] = (1536, 2048)
    style: Style = field(default=Style(epsilon=1e-3), kw_only=True)


HISTORY = History(
    2016,
    "Chollet 2016, Xception: deep learning with depthwise separable convolutions",
    "inception_v3",
    "the paths of Inception taken to the end: one channel a path",
)

VARIANTS = {
    "xception_toy": Xception((6, 8), (8, 8, 12), middle=1, exit=(12, 16), last=(16, 24)),
    "xception": Xception(params=22_855_952, image=(299, 299, 3)),
}


@family(VARIANTS, history=HISTORY)
def xception(x, row):
    """Every convolution after the stem filters each channel by itself, then mixes them with 1x1.

    The stem's two convolutions are not padded: levels are put back in frames of zeros. The small stem leaves out the
    stride of the stem and of the first block, and pads: the levels are two steps lower.
    """
    image, levels, small = x, {}, row.stem == "small"
    x = _unpadded_conv(x, row.stem_filters[0], 1 if small else 2, row, "stem")
    x = _unpadded_conv(x, row.stem_filters[1], 1, row, "c1_2")
    level, rates = 0 if small else 1, iter(drop_path_rates([len(row.entry) + row.middle + 1], row.style.drop_path)[0])
    levels[f"c{level}"] = frame(x, image, 1 << level, "c1_frame")
    for i, filters in enumerate((*row.entry, row.exit)):
        strides = 1 if small and not i else 2
        if i == len(row.entry):
            for k in range(row.middle):
                x = _block(x, (x.shape[-1],) * 3, row, next(rates), f"c{i + 1}_{k + 2}")
            levels[f"c{level}"] = frame(x, image, 1 << level, f"c{i + 1}_middle_frame")
        level += strides - 1
        widths = filters if isinstance(filters, tuple) else (filters, filters)
        x = _block(x, widths, row, next(rates), f"c{i + 2}_1", strides=strides, first=i == 0)
        levels[f"c{level}"] = frame(x, image, 1 << level, f"c{i + 2}_frame")
    name = f"c{len(row.entry) + 2}"
    for k, filters in enumerate(row.last, start=1):
        x = activation(
            separable_norm(x, filters, style=row.style, name=f"{name}_2_{k}"), row.style, f"{name}_2_{k}_act"
        )
    levels[f"c{level}"] = frame(x, image, 1 << level, f"{name}_last_frame")
    return {**levels, "last": unframed(levels[f"c{level}"], x, "last")}


def _unpadded_conv(x, filters, strides, row, name):
    padding = row.style.padding if row.stem == "small" else unpadded(x, 3)
    return norm_act(
        convolve(x, filters, 3, strides=strides, padding=padding, style=row.style, name=name), row.style, name
    )


def _block(x, widths, row, rate, name, *, strides=None, first=False):
    """Separable convolutions, each after an activation; with `strides`, pooled and beside a projected shortcut.

    The first block follows an activation and has none of its own before its first convolution.
    """
    style, shortcut = row.style, x
    if strides:
        shortcut = conv_norm(x, widths[-1], 1, strides=strides, style=style, name=f"{name}_shortcut")
    for k, filters in enumerate(widths, start=1):
        if k > 1 or not first:
            x = activation(x, style, f"{name}_{k}_act")
        x = separable_norm(x, filters, style=row.style, name=f"{name}_{k}")
    if strides:
        # Zeros would win over negative maps; the edges once more are what PyTorch's pooling amounts to.
        padding = "replicate" if style.padding == "symmetric" else "same"
        x = max_pool(x, 3, strides=strides, padding=padding, name=f"{name}_pool")
    return add(shortcut, x, rate=rate, name=name)
