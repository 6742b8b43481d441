"""EfficientNets: one searched net of inverted residuals, made larger in depth, width and resolution together.

Tan and Le 2019, EfficientNet: rethinking model scaling for convolutional neural networks; its Lite variants (2020)
leave out what small devices compute badly. Tan and Le 2021, EfficientNetV2: smaller models and faster training, has
full convolutions in early blocks.
"""

import math
from dataclasses import dataclass, field
from numbers import Real

from kcnn.architectures.family import Row, deepest, family
from kcnn.architectures.history import History
from kcnn.architectures.mobilenet_v2 import beside, divisible, inverted_residual
from kcnn.architectures.places import places
from kcnn.architectures.stems import light_stem
from kcnn.errors import UserError
from kcnn.layers import Style, conv_norm, conv_norm_act, dropout, global_average_pool

STAGES = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)
V2_S = ((1, 3, 24, 2, 1), (4, 3, 48, 4, 2), (4, 3, 64, 4, 2), (4, 3, 128, 6, 2), (6, 3, 160, 9, 1), (6, 3, 256, 15, 2))
V2_M = (
    *((1, 3, 24, 3, 1), (4, 3, 48, 5, 2), (4, 3, 80, 5, 2), (4, 3, 160, 7, 2)),
    *((6, 3, 176, 14, 1), (6, 3, 304, 18, 2), (6, 3, 512, 5, 1)),
)
V2_L = (
    *((1, 3, 32, 4, 1), (4, 3, 64, 7, 2), (4, 3, 96, 7, 2), (4, 3, 192, 10, 2)),
    *((6, 3, 224, 19, 1), (6, 3, 384, 25, 2), (6, 3, 640, 7, 1)),
)
TOY = ((1, 3, 8, 2, 1), (2, 3, 12, 1, 2), (1, 3, 12, 1, 1), (2, 5, 8, 2, 2), (2, 3, 16, 1, 2), (2, 3, 16, 1, 2))

SWISH = Style(activation="silu", epsilon=1e-3, drop_path=0.2)
RELU6 = Style(activation="relu6", epsilon=1e-3, drop_path=0.2)


@dataclass(frozen=True)
class EfficientNet(Row):
    """One EfficientNet.

    stages: (expansion, kernel, filters, blocks, strides) each.
    depth, width: multiply the blocks of each stage, rounded up, and all channels, kept divisible by 8.
    fused: so many first stages use one full convolution for expansion and depthwise filter (version 2).
    excite: squeeze-excite to a quarter of a block's input, in the blocks that are not fused.
    fixed_ends: Lite: stem and head keep their channels, first and last stage their blocks.
    dropout: of the own top.
    """

    stages: tuple[tuple[int, int, int, int, int], ...] = STAGES
    depth: float = 1.0
    width: float = 1.0
    fused: int = 0
    excite: bool = True
    fixed_ends: bool = False
    stem_filters: int = 32
    last_filters: int = 1280
    dropout: float = 0.2
    style: Style = field(default=SWISH, kw_only=True)


# (depth, width, pixels) that the authors released as B0 to B7, at the phi that comes closest: rounded, and less deep
# than the rule from B4 on.
PUBLISHED = {
    0: (1.0, 1.0, 224),
    0.5: (1.1, 1.0, 240),
    1: (1.2, 1.1, 260),
    2: (1.4, 1.2, 300),
    3.5: (1.8, 1.4, 380),
    5: (2.2, 1.6, 456),
    6: (2.6, 1.8, 528),
    7: (3.1, 2.0, 600),
}


def compound_scaling(phi):
    """(depth, width, resolution in pixels) of the net that costs about 2^phi times as much as B0.

    The paper's rule is (1.2^phi, 1.1^phi, 224 x 1.15^phi): its constants were searched under
    depth x width^2 x resolution^2 = 2, for multiply-adds grow with the square of the latter two. For the phi of
    `PUBLISHED` it answers what the authors made of that. The result fits `overrides` and `input_shape` of build_model.
    """
    if not isinstance(phi, Real) or not 0 <= phi <= 20:
        raise UserError(f"phi is {phi!r}: it must be a number from 0 (B0) to 20")
    return PUBLISHED.get(phi, (1.2**phi, 1.1**phi, round(224 * 1.15**phi)))


def _scaled(phi, dropout, params):
    depth, width, side = compound_scaling(phi)
    return EfficientNet(depth=depth, width=width, dropout=dropout, params=params, image=(side, side, 3))


def _lite(phi, side, dropout, params):
    depth, width, _ = compound_scaling(phi)
    scaled = {"depth": depth, "width": width, "dropout": dropout, "params": params, "image": (side, side, 3)}
    return EfficientNet(excite=False, fixed_ends=True, style=RELU6, **scaled)


def _second(stages, side, dropout, params):
    stem = stages[0][2]
    return EfficientNet(stages, fused=3, stem_filters=stem, dropout=dropout, params=params, image=(side, side, 3))


HISTORY = {
    "": History(
        2019,
        "Tan and Le 2019, EfficientNet: rethinking model scaling for convolutional neural networks",
        "mobilenet_v2",
        "depth, width and resolution grow together by one number; squeeze and excitation",
    ),
    "efficientnet_lite": History(
        2020,
        "Liu 2020, Higher accuracy on vision models with EfficientNet-Lite",
        "efficientnet_b0",
        "without squeeze and excitation, with ReLU6, for small devices",
    ),
    "efficientnet_v2": History(
        2021,
        "Tan and Le 2021, EfficientNetV2: smaller models and faster training",
        "efficientnet_b0",
        "full convolutions in early blocks, which train faster",
    ),
}

# As in keras.applications and in the authors' own code. torchvision has the same counts and pads on both sides:
# style={"padding": "symmetric"}, for B0 to B4 also "epsilon": 1e-5.
VARIANTS = {
    "efficientnet_toy": EfficientNet(TOY, fused=2, stem_filters=8, last_filters=16),
    "efficientnet_b0": _scaled(0, 0.2, 5_288_548),
    "efficientnet_b1": _scaled(0.5, 0.2, 7_794_184),
    "efficientnet_b2": _scaled(1, 0.3, 9_109_994),
    "efficientnet_b3": _scaled(2, 0.3, 12_233_232),
    "efficientnet_b4": _scaled(3.5, 0.4, 19_341_616),
    "efficientnet_b5": _scaled(5, 0.4, 30_389_784),
    "efficientnet_b6": _scaled(6, 0.5, 43_040_704),
    "efficientnet_b7": _scaled(7, 0.5, 66_347_960),
    "efficientnet_lite0": _lite(0, 224, 0.2, 4_652_008),
    "efficientnet_lite1": _lite(0.5, 240, 0.2, 5_416_680),
    "efficientnet_lite2": _lite(1, 260, 0.3, 6_092_072),
    "efficientnet_lite3": _lite(2, 280, 0.3, 8_197_096),
    "efficientnet_lite4": _lite(3.5, 300, 0.3, 13_006_568),
    "efficientnet_v2_s": _second(V2_S, 384, 0.2, 21_458_488),
    "efficientnet_v2_m": _second(V2_M, 480, 0.3, 54_139_356),
    "efficientnet_v2_l": _second(V2_L, 480, 0.4, 118_515_272),
}


def pooled_dropout(levels, row):
    """Global average pooling and dropout: (B, last filters)."""
    return dropout(global_average_pool(deepest(levels), name="pool"), row.dropout, "pool_dropout")


def plan(row):
    """The `Place` of every block, one list a stage, after scaling its depth."""
    last = len(row.stages) - 1
    fixed = [row.fixed_ends and n in (0, last) for n in range(last + 1)]
    depths = [
        stage[3] if keep else math.ceil(stage[3] * row.depth) for stage, keep in zip(row.stages, fixed, strict=True)
    ]
    return places(depths, [stage[4] for stage in row.stages], row)


@family(VARIANTS, top=pooled_dropout, history=HISTORY, dilates=True)
def efficientnet(x, row):
    """Inverted residuals with squeeze-excite, scaled in depth, width and resolution together.

    Names and levels are those of `places`.
    """
    ends = 1.0 if row.fixed_ends else row.width
    x, levels = light_stem(x, divisible(row.stem_filters * ends), row)
    for n, ((expansion, kernel, filters, _, _), blocks) in enumerate(zip(row.stages, plan(row), strict=True)):
        out = divisible(filters * row.width)
        for place in blocks:
            x = levels[place.level] = _block(x, out, expansion, kernel, n < row.fused, row, place)
    levels[place.level] = conv_norm_act(x, divisible(row.last_filters * ends), 1, style=row.style, name="final")
    return levels


def _block(x, filters, expansion, kernel, fused, row, place):
    """(B, n..., C) -> (B, ceil(n / strides)..., filters), with a shortcut where shapes agree."""
    style, channels = row.style, x.shape[-1]
    if fused:
        return beside(x, _fused(x, filters, expansion, kernel, style, place), place)
    excite = {"reduced": max(1, channels // 4)} if row.excite else None
    return inverted_residual(x, filters, expansion * channels, place, kernel, excite=excite, style=style)


def _fused(x, filters, expansion, kernel, style, place):
    """Expansion and filter in one full convolution; without expansion nothing is left to project."""
    walk = {"strides": place.strides, "dilation": place.dilation}
    width = filters if expansion == 1 else expansion * x.shape[-1]
    x = conv_norm_act(x, width, kernel, **walk, style=style, name=f"{place.name}_fused")
    return x if expansion == 1 else conv_norm(x, filters, 1, style=style, name=f"{place.name}_project")
