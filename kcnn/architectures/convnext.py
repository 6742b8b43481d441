"""Liu et al. 2022, A ConvNet for the 2020s: a ResNet with the habits of a vision transformer.

Against ResNet-50: patches as stem, separate downsampling, 7x7 depthwise filters before a wide inverted bottleneck, one
GELU and one layer norm a block, layer scale.
"""

from dataclasses import dataclass, field, replace

from kcnn.architectures.family import Row, deepest, family, same_lengths
from kcnn.architectures.history import History
from kcnn.layers import (
    LayerScale,
    Style,
    activation,
    add,
    convolve,
    depthwise,
    drop_path_rates,
    global_average_pool,
    normalize,
)

STYLE = Style(norm="layer", activation="gelu", epsilon=1e-6, conv_bias=True)


@dataclass(frozen=True)
class ConvNeXt(Row):
    """depths, filters: blocks and channels of each stage; kernel: of the depthwise filters; layer_scale: its start."""

    depths: tuple[int, ...] = (3, 3, 9, 3)
    filters: tuple[int, ...] = (96, 192, 384, 768)
    kernel: int = 7
    layer_scale: float = 1e-6
    style: Style = field(default=STYLE, kw_only=True)

    def __post_init__(self):
        same_lengths(self, "depths", "filters")


def _row(depths, filters, drop_path, params):
    return ConvNeXt(depths, filters, params=params, style=replace(STYLE, drop_path=drop_path))


HISTORY = History(
    2022,
    "Liu et al. 2022, A ConvNet for the 2020s",
    "resnet50",
    "a ResNet with the habits of a transformer: patches, 7×7 depthwise, layer norm, GELU, few activations",
)

# As in torchvision and keras.applications, which agree.
VARIANTS = {
    "convnext_toy": ConvNeXt((1, 1, 2, 1), (8, 8, 12, 16), layer_scale=0.1),
    "convnext_tiny": _row((3, 3, 9, 3), (96, 192, 384, 768), 0.1, 28_589_128),
    "convnext_small": _row((3, 3, 27, 3), (96, 192, 384, 768), 0.4, 50_223_688),
    "convnext_base": _row((3, 3, 27, 3), (128, 256, 512, 1024), 0.5, 88_591_464),
    "convnext_large": _row((3, 3, 27, 3), (192, 384, 768, 1536), 0.5, 197_767_336),
}


def pooled_norm(levels, row):
    """Global average pooling, then layer norm whatever the style, for no other means anything there: (B, C)."""
    x = global_average_pool(deepest(levels), name="pool")
    return normalize(x, replace(row.style, norm="layer"), "pool_norm")


@family(VARIANTS, top=pooled_norm, history=HISTORY)
def convnext(x, row):
    """Large depthwise filters, an inverted bottleneck of two 1x1, and as few norms and activations as a transformer.

    Stages keep the numbers of a ResNet, "c2" to "c5". The small stem is 3x3 instead of 4x4 patches: the levels are two
    steps lower.
    """
    style, small = row.style, row.stem == "small"
    kernel, strides = (3, 1) if small else (4, 4)
    x = convolve(x, row.filters[0], kernel, strides=strides, style=style, name="stem")
    x = normalize(x, style, "stem_norm")
    levels = {}
    for stage, drops in enumerate(drop_path_rates(row.depths, style.drop_path)):
        name = f"c{stage + 2}"
        if stage:
            x = normalize(x, style, f"{name}_reduce_norm")
            x = convolve(x, row.filters[stage], 2, strides=2, bias=True, style=style, name=f"{name}_reduce")
        for i, rate in enumerate(drops, start=1):
            x = _block(x, row, rate, f"{name}_{i}")
        levels[f"c{stage if small else stage + 2}"] = x
    return levels


def _block(x, row, rate, name):
    shortcut, filters, style = x, x.shape[-1], row.style
    x = depthwise(x, row.kernel, style=style, name=f"{name}_depthwise")
    x = normalize(x, style, f"{name}_norm")
    x = convolve(x, 4 * filters, 1, bias=True, style=style, name=f"{name}_expand")
    x = activation(x, style, f"{name}_act")
    x = convolve(x, filters, 1, bias=True, style=style, name=f"{name}_project")
    if row.layer_scale:
        x = LayerScale(row.layer_scale, name=f"{name}_scale")(x)
    return add(shortcut, x, rate=rate, name=name)
