"""Ronneberger et al. 2015, U-Net: step by step back to the picture's size, with the encoder's map at each step.

Oktay et al. 2018, Attention U-Net: the decoder says which places of these maps matter.
"""

from dataclasses import dataclass

import keras

from kcnn.errors import UserError
from kcnn.heads.masks import MaskHead, last_level
from kcnn.heads.options import switch, wholes
from kcnn.heads.own_style import head_style
from kcnn.heads.registry import HEADS
from kcnn.layers import activation, concatenate, conv_norm_act, convolve, enlarge

STRIDES = (1, 2, 4)


@HEADS.register("unet")
@dataclass(frozen=True)
class UNet(MaskHead):
    """A decoder on all levels of any family, for pictures, signals and volumes of any size.

    It differs from the paper as is usual today: maps are enlarged by repeating places, once a 1x1 convolution has made
    them as narrow as their step, instead of by a transposed convolution; convolutions are padded, and the encoder is
    the family's.

    filters: of each step up, from that on the deepest level on; the last one holds for all further steps.
    stride: of the last step's map, 1, 2 or 4; above 1 its logits are enlarged, which costs far less and loses what is
        narrower.
    attention: gates on the encoder's maps.
    deep_supervision: in training, logits from the steps before the last too, each with half the weight of the next.
    """

    filters: tuple[int, ...] = (256, 128, 64, 32, 16)
    stride: int = 1
    attention: bool = False
    deep_supervision: bool = False

    def __post_init__(self):
        super().__post_init__()
        wholes("filters", self.filters, "a list of whole numbers above 0, one a step up")
        for name in ("attention", "deep_supervision"):
            switch(name, getattr(self, name))
        if self.stride not in STRIDES:
            raise UserError(f"stride is {self.stride!r}: a U-Net ends at 1, 2 or 4")

    def build(self, levels, variant):
        """Logits (B, n..., K), layer "logits", and {name: (logits, weight)} of steps before, if supervised deeply."""
        deepest, x = last_level(levels)
        finest = min(self.stride.bit_length() - 1, deepest)
        image, style, others = levels["image"], head_style(variant), {}
        for i, level in enumerate(reversed(range(finest, deepest))):
            filters = self.filters[min(i, len(self.filters) - 1)]
            x = self._step(x, levels.get(f"c{level}"), image, level, filters, style)
            if self.deep_supervision and level > finest:
                name = f"aux_{1 << level}"
                others[name] = (self.logits(x, image, 1 << level, name), 0.5 ** (level - finest))
        return self.logits(x, image, 1 << finest), others

    def _step(self, x, skip, image, level, filters, style):
        """From the level after `level` to it: enlarged, beside the encoder's map `skip` if it has one, two 3x3."""
        name = f"up{level}"
        if x.shape[-1] > filters:
            x = convolve(x, filters, 1, bias=True, style=style, name=f"{name}_narrow")
        larger = enlarge(x, image, 2, strides=1 << level, name=f"{name}_enlarge")
        if skip is not None:
            skip = gated(skip, x, image, level, style, f"{name}_gate") if self.attention else skip
            larger = concatenate([larger, skip], f"{name}_concat")
        x = conv_norm_act(larger, filters, 3, style=style, name=f"{name}_first")
        return conv_norm_act(x, filters, 3, style=style, name=f"{name}_second")


def gated(skip, signal, image, level, style, name):
    """`skip` (B, n..., C) times a gate from 0 to 1 a place, which it and the coarser `signal` (B, n / 2..., D) give.

    As in the paper the two meet at the size of the signal; the gate is enlarged by repeating instead of interpolating.
    """
    inner = max(skip.shape[-1] // 2, 1)
    own = convolve(skip, inner, 2, strides=2, bias=False, style=style, name=f"{name}_skip")
    other = convolve(signal, inner, 1, bias=True, style=style, name=f"{name}_signal")
    x = activation(keras.layers.Add(name=f"{name}_add")([own, other]), style, f"{name}_act")
    x = activation(convolve(x, 1, 1, bias=True, style=style, name=f"{name}_weigh"), style, f"{name}_open", "sigmoid")
    x = enlarge(x, image, 2, strides=1 << level, name=f"{name}_enlarge")
    return keras.layers.Multiply(name=f"{name}_scale")([skip, x])
