"""Howard et al. 2019, Searching for MobileNetV3: searched inverted residuals with squeeze-excite and hard-swish.

Against MobileNetV2: searched kernels and widths, squeeze-excite in many blocks, hard-swish in the narrow late maps
where it costs little, and the last expensive 1x1 moved behind the pooling.
"""

from dataclasses import dataclass, field

from kcnn.architectures.family import Row, deepest, family
from kcnn.architectures.history import History
from kcnn.architectures.mobilenet_v2 import divisible, inverted_residual
from kcnn.architectures.places import places
from kcnn.architectures.stems import light_stem
from kcnn.layers import Style, activation, conv_norm_act, norm_act, normalize, pooled_hidden

SMALL = (
    (3, 16, 16, True, True, 2),
    (3, 72, 24, False, True, 2),
    (3, 88, 24, False, True, 1),
    (5, 96, 40, True, False, 2),
    (5, 240, 40, True, False, 1),
    (5, 240, 40, True, False, 1),
    (5, 120, 48, True, False, 1),
    (5, 144, 48, True, False, 1),
    (5, 288, 96, True, False, 2),
    (5, 576, 96, True, False, 1),
    (5, 576, 96, True, False, 1),
)
LARGE = (
    (3, 16, 16, False, True, 1),
    (3, 64, 24, False, True, 2),
    (3, 72, 24, False, True, 1),
    (5, 72, 40, True, True, 2),
    (5, 120, 40, True, True, 1),
    (5, 120, 40, True, True, 1),
    (3, 240, 80, False, False, 2),
    (3, 200, 80, False, False, 1),
    (3, 184, 80, False, False, 1),
    (3, 184, 80, False, False, 1),
    (3, 480, 112, True, False, 1),
    (3, 672, 112, True, False, 1),
    (5, 672, 160, True, False, 2),
    (5, 960, 160, True, False, 1),
    (5, 960, 160, True, False, 1),
)
TOY = (
    (3, 8, 8, True, True, 1),
    (3, 16, 8, False, True, 2),
    (5, 16, 8, True, False, 2),
    (3, 16, 8, False, False, 1),
    (3, 16, 8, True, True, 2),
    (5, 16, 8, True, False, 2),
)


@dataclass(frozen=True)
class MobileNetV3(Row):
    """One MobileNetV3.

    blocks: (kernel, expanded channels, filters, squeeze-excite?, ReLU instead of the style's activation?, strides).
    hidden: units of the own top; width: multiplies all channels, kept divisible by 8.
    """

    blocks: tuple[tuple[int, int, int, bool, bool, int], ...] = LARGE
    hidden: int = 1280
    width: float = 1.0
    stem_filters: int = 16
    dropout: float = 0.2
    style: Style = field(default=Style(activation="hard_swish", padding="symmetric", epsilon=1e-3), kw_only=True)


HISTORY = History(
    2019,
    "Howard et al. 2019, Searching for MobileNetV3",
    "mobilenet_v2",
    "searched widths and kernels, squeeze and excitation, hard swish, a cheaper end",
)

# As in torchvision. keras.applications has the same counts and pads as TensorFlow does: style={"padding": "same"}.
VARIANTS = {
    "mobilenet_v3_toy": MobileNetV3(TOY, hidden=16, stem_filters=8),
    "mobilenet_v3_small": MobileNetV3(SMALL, hidden=1024, params=2_542_856),
    "mobilenet_v3_large": MobileNetV3(LARGE, hidden=1280, params=5_483_032),
}


def top(levels, row):
    """Pooling, then the layer that MobileNetV2 computed at every place: (B, hidden)."""
    return pooled_hidden(deepest(levels), divisible(row.hidden * max(row.width, 1.0)), row.dropout, row.style)


@family(VARIANTS, top=top, history=HISTORY, dilates=True)
def mobilenet_v3(x, row):
    """Inverted residuals, gated by the means of their channels.

    Names and levels are those of `places`. A style's activation replaces hard-swish; early blocks keep ReLU.
    """
    x, levels = light_stem(x, divisible(row.stem_filters * row.width), row)
    depths, strides = [1] * len(row.blocks), [block[-1] for block in row.blocks]
    for block, [place] in zip(row.blocks, places(depths, strides, row), strict=True):
        x = levels[place.level] = _block(x, block, row, place)
    last = conv_norm_act(x, divisible(6 * x.shape[-1]), 1, style=row.style, name="final")
    return levels | {place.level: last}


def _block(x, block, row, place):
    """An inverted residual with the numbers of `block`."""
    kernel, expanded, filters, excite, relu, _ = block
    expanded, filters = divisible(expanded * row.width), divisible(filters * row.width)
    gate = {"reduced": divisible(expanded // 4), "kind": "relu", "gate": "hard_sigmoid"} if excite else None
    options = {"norm_act": _norm_relu if relu else norm_act, "style": row.style}
    return inverted_residual(x, filters, expanded, place, kernel, excite=gate, **options)


def _norm_relu(x, style, name):
    return activation(normalize(x, style, f"{name}_norm"), style, f"{name}_relu", "relu")
