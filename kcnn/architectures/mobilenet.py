"""Howard et al. 2017, MobileNets: a convolution split into a depthwise filter and a 1x1 that mixes the channels.

Against a VGG or ResNet of full convolutions: about an eighth of the multiply-adds at nearly the same accuracy.
"""

from dataclasses import dataclass, field

from kcnn.architectures.family import Row, family, same_lengths
from kcnn.architectures.history import History
from kcnn.architectures.places import places
from kcnn.architectures.stems import light_stem
from kcnn.layers import Style, conv_norm_act, depthwise_norm_act


@dataclass(frozen=True)
class MobileNet(Row):
    """One MobileNet v1.

    filters, depths, strides: of each stage: channels, blocks, and the stride of its first block.
    width: the paper's width multiplier, on all channels.
    """

    residual = False

    filters: tuple[int, ...] = (64, 128, 256, 512, 1024)
    depths: tuple[int, ...] = (1, 2, 2, 6, 2)
    strides: tuple[int, ...] = (1, 2, 2, 2, 2)
    width: float = 1.0
    stem_filters: int = 32
    style: Style = field(default=Style(activation="relu6", epsilon=1e-3), kw_only=True)

    def __post_init__(self):
        same_lengths(self, "filters", "depths", "strides")


HISTORY = History(
    2017,
    "Howard et al. 2017, MobileNets: efficient convolutional neural networks for mobile vision applications",
    "vgg16",
    "each convolution is a depthwise one and a 1×1 one, at an eighth of the cost",
)

# As in keras.applications (for even sizes: at odd ones that pads one pixel less, and its maps are smaller).
VARIANTS = {
    "mobilenet_toy": MobileNet((8, 8, 12, 16, 16), depths=(1, 1, 1, 2, 1), stem_filters=8),
    "mobilenet": MobileNet(params=4_231_976),
}


@family(VARIANTS, history=HISTORY, dilates=True)
def mobilenet(x, row):
    """Filter each channel by itself, then mix them with 1x1.

    Names and levels are those of `places`.
    """
    x, levels = light_stem(x, _scaled(row.stem_filters, row), row)
    style = row.style
    for filters, blocks in zip(row.filters, places(row.depths, row.strides, row), strict=True):
        for place in blocks:
            walk, name = {"strides": place.strides, "dilation": place.dilation}, place.name
            x = depthwise_norm_act(x, 3, **walk, style=style, name=f"{name}_depthwise")
            x = levels[place.level] = conv_norm_act(x, _scaled(filters, row), 1, style=style, name=f"{name}_pointwise")
    return levels


def _scaled(filters, row):
    return max(int(filters * row.width), 1)
