"""Long et al. 2015, Fully convolutional networks: scores of several levels, summed and enlarged."""

from dataclasses import dataclass

import keras

from kcnn.errors import UserError
from kcnn.heads.masks import MaskHead
from kcnn.heads.options import whole
from kcnn.heads.own_style import head_style
from kcnn.heads.registry import HEADS
from kcnn.layers import conv_norm_act, dropout, enlarge

STRIDES = (32, 16, 8)


@HEADS.register("fcn")
@dataclass(frozen=True)
class FCN(MaskHead):
    """FCN-32s, FCN-16s or FCN-8s, for pictures, signals and volumes of any size.

    It differs from the paper where that is about VGG: one 3x3 convolution stands for its two fully connected layers,
    and scores are enlarged bilinearly, as the paper's start, instead of by learned filters; those of signals and
    volumes are repeated.

    stride: of the finest level that scores: 32, 16 or 8.
    filters: of the convolution before the scores of the deepest level.
    """

    stride: int = 8
    filters: int = 512

    def __post_init__(self):
        super().__post_init__()
        if self.stride not in STRIDES:
            raise UserError(f"stride is {self.stride!r}: FCN has 32, 16 and 8")
        whole("filters", self.filters)

    @property
    def levels(self):
        """From the finest to "c5"."""
        return tuple(f"c{n}" for n in range(self.stride.bit_length() - 1, 6))

    def build(self, levels, variant):
        """Logits (B, n..., K), layer "logits"."""
        image, (*skips, deepest) = levels["image"], self.levels
        x = conv_norm_act(levels[deepest], self.filters, 3, style=head_style(variant), name="fcn")
        x = self.score(dropout(x, self.dropout, "head_dropout"), f"score_{deepest}")
        for level in reversed(skips):
            x = enlarge(x, image, 2, strides=1 << int(level[1:]), smooth=True, dtype="float32", name=f"enlarge_{level}")
            own = self.score(levels[level], f"score_{level}", "zeros")  # as in the paper: it starts as the coarser net
            x = keras.layers.Add(dtype="float32", name=f"sum_{level}")([x, own])
        return enlarge(x, image, self.stride, smooth=True, dtype="float32", name="logits")
