"""LeCun et al. 1998, Gradient-based learning applied to document recognition."""

from dataclasses import dataclass, field

import keras

from kcnn.architectures.family import Row, check_size, family
from kcnn.architectures.history import History
from kcnn.layers import Style, average_pool, convolve, crop, dense_act, norm_act, zero_pad

SMALLEST = 13


@dataclass(frozen=True)
class LeNet(Row):
    """filters: of C1 and C3; hidden: units of C5 and F6."""

    residual = False

    filters: tuple[int, int] = (6, 16)
    hidden: tuple[int, int] = (120, 84)
    style: Style = field(default=Style(norm="none", activation="tanh"), kw_only=True)


HISTORY = History(
    1998,
    "LeCun et al. 1998, Gradient-based learning applied to document recognition",
    None,
    "convolution and subsampling by turns, then fully connected layers, learned as one",
)

VARIANTS = {
    "lenet_toy": LeNet((3, 4), hidden=(12, 8), image=(32, 32, 1), classes=10),
    "lenet5": LeNet(params=61_706, image=(32, 32, 1), classes=10),
}


def c5_f6(levels, row):
    """C5 and F6: (B, 84). C5 sees the map without the frame that the levels contract put round it."""
    x = crop(levels["c2"], 1, 2, "c2_crop")
    x = keras.layers.Flatten(name="flatten")(x)
    for units, name in zip(row.hidden, ("c5", "f6"), strict=True):
        x = dense_act(x, units, row.style, name)
    return x


@family(VARIANTS, top=c5_f6, history=HISTORY)
def lenet5(x, row):
    """Two unpadded 5x5 convolutions with average pooling; C3 is fully connected. Both stems are the same.

    Unpadded convolutions eat the frame of the picture: the levels are the maps put back at their place in a frame of
    zeros, so that they have the size that every level has.
    """
    check_size(x, SMALLEST, "lenet5")
    levels = {}
    for n, (filters, (before, after)) in enumerate(zip(row.filters, ((1, 1), (1, 2)), strict=True), start=1):
        x = convolve(x, filters, 5, padding="valid", style=row.style, name=f"c{n}_1")
        x = norm_act(x, row.style, f"c{n}_1")
        x = average_pool(x, 2, strides=2, name=f"c{n}_pool")
        levels[f"c{n}"] = zero_pad(x, before, after, f"c{n}_frame")
    return levels
