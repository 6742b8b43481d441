"""Chen et al. 2018, Encoder-decoder with atrous separable convolution (DeepLab v3+): looks near and far at once."""

from dataclasses import dataclass

from kcnn.errors import UserError
from kcnn.heads.masks import MaskHead, last_level
from kcnn.heads.options import whole, wholes
from kcnn.heads.own_style import head_style
from kcnn.heads.registry import HEADS
from kcnn.layers import (
    Spread,
    activation,
    concatenate,
    conv_norm_act,
    convolve,
    depthwise_norm_act,
    enlarge,
    global_average_pool,
)

OUTPUT_STRIDES = (8, 16, 32)


@HEADS.register("deeplab")
@dataclass(frozen=True)
class DeepLab(MaskHead):
    """DeepLab v3+, for pictures, signals and volumes of any size.

    output_stride: 16 or 8, where the family can dilate instead of going deeper; 32: the network as it is.
    filters, low_filters: of the maps that see near and far, and of the one at stride 4 that gives the outlines.
    rates: of the convolutions that see far, in places at stride 16. The paper's are for pictures of 500 pixels; on one
        of 160 they look beyond its edges nearly everywhere.
    """

    output_stride: int = 16
    filters: int = 256
    low_filters: int = 48
    rates: tuple[int, ...] = (6, 12, 18)

    levels = ("c2",)

    def __post_init__(self):
        super().__post_init__()
        if self.output_stride not in OUTPUT_STRIDES:
            raise UserError(f"output_stride is {self.output_stride!r}: DeepLab has 8 and 16, or 32 without dilation")
        for name in ("filters", "low_filters"):
            whole(name, getattr(self, name))
        wholes("rates", self.rates, "a list of whole numbers above 0, none twice", distinct=True)

    def build(self, levels, variant):
        """Logits (B, n..., K), layer "logits"."""
        style, image, (deepest, x) = head_style(variant), levels["image"], last_level(levels)
        x = self._pyramid(x, 1 << deepest, style)
        if deepest > 2:
            x = enlarge(x, image, 1 << (deepest - 2), strides=4, smooth=True, name="decoder_enlarge")
        low = conv_norm_act(levels["c2"], self.low_filters, 1, style=style, name="decoder_low")
        x = concatenate([x, low], "decoder_concat")
        for part in ("first", "second"):
            x = self._separable(x, 1, style, f"decoder_{part}")
        return self.logits(x, image, 4)

    def _pyramid(self, x, strides, style):
        """Atrous spatial pyramid pooling: 1x1, 3x3 at all rates and the mean of the whole map, side by side.

        The rates are twice as large at stride 8 as at stride 16. The mean has no norm, unlike in the paper: a channel's
        statistics of one place a picture, over a small batch, are noise.
        """
        parts = [conv_norm_act(x, self.filters, 1, style=style, name="pyramid_near")]
        for rate in self.rates:
            parts.append(self._separable(x, max(rate * 16 // strides, 1), style, f"pyramid_{rate}"))
        mean = global_average_pool(x, keepdims=True, name="pyramid_pool")
        mean = convolve(mean, self.filters, 1, bias=True, style=style, name="pyramid_mean")
        mean = activation(mean, style, "pyramid_mean_act")
        parts.append(Spread(name="pyramid_spread")(mean, x))
        return conv_norm_act(concatenate(parts, "pyramid_concat"), self.filters, 1, style=style, name="pyramid")

    def _separable(self, x, dilation, style, name):
        x = depthwise_norm_act(x, 3, dilation=dilation, style=style, name=f"{name}_depthwise")
        return conv_norm_act(x, self.filters, 1, style=style, name=name)
