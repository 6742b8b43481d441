"""Liu et al. 2021, Swin transformer: attention within windows that shift from block to block, in stages as a ResNet.

Against ViT: cost grows with the picture's area and not with its square, and there are levels for detection and
segmentation.
"""

from dataclasses import dataclass, field

import keras

from kcnn.architectures.family import Row, family, same_lengths
from kcnn.architectures.history import History
from kcnn.errors import UserError
from kcnn.layers import (
    MergeWindows,
    PartitionWindows,
    SpaceToDepth,
    Style,
    WindowAttention,
    add,
    convolve,
    dense,
    drop_path_rates,
    feed_forward,
    normalize,
)


@dataclass(frozen=True)
class Swin(Row):
    """depths, heads: of each stage; width: of the first, doubled by each further one; window: side of the windows."""

    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)
    width: int = 96
    window: int = 7
    hidden: int = 4
    style: Style = field(default=Style(norm="layer", activation="gelu", drop_path=0.2), kw_only=True)

    def __post_init__(self):
        same_lengths(self, "depths", "heads")
        widths = [self.width << stage for stage in range(len(self.heads))]
        if any(width % heads for width, heads in zip(widths, self.heads, strict=True)):
            raise UserError(f"heads is {self.heads!r}: they must divide the channels of their stages, {widths}")


HISTORY = History(
    2021,
    "Liu et al. 2021, Swin transformer: hierarchical vision transformer using shifted windows",
    "vit_small16",
    "attention within shifted windows, in stages that shrink as a ResNet does",
)

# As in torchvision and timm.
VARIANTS = {
    "swin_toy": Swin((2, 1, 2, 1), heads=(1, 2, 2, 4), width=8, window=2, hidden=2),
    "swin_tiny": Swin(params=28_288_354),
}


@family(VARIANTS, ranks=(2,), history=HISTORY)
def swin(x, row):
    """Windows of attention, every second block shifted by half a window, patches merged between stages.

    Stages keep the numbers of a ResNet, "c2" to "c5". The small stem is 3x3 instead of 4x4 patches: the levels are two
    steps lower.
    """
    style, small = row.style, row.stem == "small"
    kernel, strides = (3, 1) if small else (4, 4)
    x = normalize(
        convolve(x, row.width, kernel, strides=strides, bias=True, style=style, name="stem"), style, "stem_norm"
    )
    levels = {}
    for stage, drops in enumerate(drop_path_rates(row.depths, style.drop_path)):
        name = f"c{stage + 2}"
        if stage:
            x = _halved(x, style, f"{name}_reduce")
        for i, rate in enumerate(drops):
            x = _block(x, row.heads[stage], row.window // 2 if i % 2 else 0, row, rate, f"{name}_{i + 1}")
        levels[f"c{stage if small else stage + 2}"] = x
    return levels | {max(levels): normalize(x, style, "final_norm")}


def _halved(x, style, name):
    """Four neighbours beside each other and mixed: (B, H, W, C) -> (B, ceil(H / 2), ceil(W / 2), 2 C)."""
    width = 2 * x.shape[-1]
    x = normalize(SpaceToDepth(name=f"{name}_gather")(x), style, f"{name}_norm")
    return keras.layers.Dense(width, use_bias=False, kernel_initializer="glorot_uniform", name=name)(x)


def _block(x, heads, shift, row, rate, name):
    """Attention within windows, then two dense layers, each after a norm and beside a shortcut."""
    style, window, width, whole = row.style, row.window, x.shape[-1], x
    y = PartitionWindows(window, shift, name=f"{name}_windows")(normalize(x, style, f"{name}_attend_norm"))
    y = WindowAttention(heads, window, shift, name=f"{name}_attend")(dense(y, 3 * width, f"{name}_qkv"), whole)
    y = MergeWindows(window, shift, name=f"{name}_merge")(dense(y, width, f"{name}_attend_project"), whole)
    x = add(x, y, rate=rate, name=f"{name}_attend")
    y = normalize(x, style, f"{name}_mlp_norm")
    return add(x, feed_forward(y, row.hidden * width, style, f"{name}_mlp"), rate=rate, name=f"{name}_mlp")
