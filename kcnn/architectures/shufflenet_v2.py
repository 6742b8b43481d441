"""Ma et al. 2018, ShuffleNet V2: designed for measured speed, not for few multiply-adds.

Against ShuffleNet: no grouped 1x1 and no additions, which cost memory traffic; half of the channels pass a block
untouched.
"""

from dataclasses import dataclass, field

from kcnn.architectures.family import Row, family, same_lengths
from kcnn.architectures.history import History
from kcnn.architectures.shufflenet import stem
from kcnn.errors import UserError
from kcnn.layers import ShuffleChannels, Style, concatenate, conv_norm_act, depthwise_norm, split_channels


@dataclass(frozen=True)
class ShuffleNetV2(Row):
    """depths, filters: blocks and channels (even) of each stage; last_filters: of the final 1x1."""

    residual = False

    depths: tuple[int, ...] = (4, 8, 4)
    filters: tuple[int, ...] = (116, 232, 464)
    last_filters: int = 1024
    stem_filters: int = 24
    style: Style = field(default=Style(padding="symmetric"), kw_only=True)

    def __post_init__(self):
        same_lengths(self, "depths", "filters")
        if any(n % 2 for n in self.filters):
            raise UserError(
                f"filters is {self.filters!r}: each must be even, for blocks split their channels in halves"
            )


HISTORY = History(
    2018,
    "Ma et al. 2018, ShuffleNet V2: practical guidelines for efficient CNN architecture design",
    "shufflenet_g3",
    "half of the channels pass each block untouched, which memory favours over groups",
)

# As in torchvision.
VARIANTS = {
    "shufflenet_v2_toy": ShuffleNetV2((2, 1, 1), (8, 12, 16), last_filters=16, stem_filters=8),
    "shufflenet_v2_x0_5": ShuffleNetV2(filters=(48, 96, 192), params=1_366_792),
    "shufflenet_v2_x1_0": ShuffleNetV2(filters=(116, 232, 464), params=2_278_604),
    "shufflenet_v2_x1_5": ShuffleNetV2(filters=(176, 352, 704), params=3_503_624),
    "shufflenet_v2_x2_0": ShuffleNetV2(filters=(244, 488, 976), last_filters=2048, params=7_393_996),
}


@family(VARIANTS, history=HISTORY)
def shufflenet_v2(x, row):
    """Half of the channels pass by; the other half go through 1x1, depthwise 3x3, 1x1; then all are shuffled.

    Stages keep the numbers of their levels, "c3" to "c5". The small stem has no stride and no pooling: the levels are
    two steps lower.
    """
    x, levels, step = stem(x, row)
    for stage, (depth, filters) in enumerate(zip(row.depths, row.filters, strict=True)):
        for i in range(depth):
            x = _block(x, filters // 2, 1 if i else 2, row.style, f"c{stage + 3}_{i + 1}")
        levels[f"c{stage + step}"] = x
    last = conv_norm_act(x, row.last_filters, 1, style=row.style, name="final")
    return levels | {f"c{stage + step}": last}


def _block(x, half, strides, style, name):
    """(B, n..., C) -> (B, ceil(n / strides)..., 2 x half)."""
    if strides == 1:
        passed, x = split_channels(x, (half, half), f"{name}_split")
    else:
        passed = depthwise_norm(x, 3, strides=strides, style=style, name=f"{name}_shortcut_depthwise")
        passed = conv_norm_act(passed, half, 1, style=style, name=f"{name}_shortcut")
    x = conv_norm_act(x, half, 1, style=style, name=f"{name}_reduce")
    x = depthwise_norm(x, 3, strides=strides, style=style, name=f"{name}_depthwise")
    x = conv_norm_act(x, half, 1, style=style, name=f"{name}_expand")
    return ShuffleChannels(2, name=f"{name}_shuffle")(concatenate([passed, x], f"{name}_concat"))
