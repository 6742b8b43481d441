"""Wang, Yan and Oates 2017, Time series classification from scratch with deep neural networks: a strong baseline."""

from dataclasses import dataclass, field

from kcnn.architectures.family import Row, check_size, family
from kcnn.architectures.history import History
from kcnn.errors import UserError
from kcnn.layers import Style, activation, add, conv_norm, conv_norm_act, drop_path_rates, normalize


@dataclass(frozen=True)
class ResNetWang(Row):
    """filters: of each block; kernels: of the convolutions in every block."""

    filters: tuple[int, ...] = (64, 128, 128)
    kernels: tuple[int, ...] = (8, 5, 3)
    style: Style = field(default=Style(conv_bias=True), kw_only=True)

    def __post_init__(self):
        if not self.filters or len(self.kernels) < 2:
            raise UserError(f"a block needs 2 kernels or more, not {self.kernels!r}")


HISTORY = History(
    2016,
    "Wang et al. 2016, Time series classification from scratch with deep neural networks",
    "resnet18",
    "three residual blocks of kernels 8, 5 and 3 for time series, without pooling",
)

# Image and count: a signal of 96 points in two classes, such as ECG200 of the paper's archive; the count by hand is in
# the tests.
VARIANTS = {
    "resnet_wang_toy": ResNetWang((4, 6, 6), image=(48, 1), classes=2),
    "resnet_wang": ResNetWang(params=504_258, image=(96, 1), classes=2),
}


@family(VARIANTS, history=HISTORY)
def resnet_wang(x, row):
    """Three residual blocks at full length: a signal of a few hundred points needs no pooling.

    The only level is "c0", and both stems are the same. Made for signals (T, C), it takes pictures and volumes too.
    """
    check_size(x, max(row.kernels), "resnet_wang")
    rates = drop_path_rates((1,) * len(row.filters), row.style.drop_path)
    for i, (filters, (rate,)) in enumerate(zip(row.filters, rates, strict=True), start=1):
        x = block(x, filters, row, rate, f"c0_{i}")
    return {"c0": x}


def block(x, filters, row, rate, name):
    """Convolutions beside a shortcut that is normalised too, (B, n..., C) -> (B, n..., filters)."""
    style = row.style
    if x.shape[-1] == filters:
        shortcut = normalize(x, style, f"{name}_shortcut_norm")
    else:
        shortcut = conv_norm(x, filters, 1, style=style, name=f"{name}_shortcut")
    *kernels, last = row.kernels
    for k, kernel in enumerate(kernels, start=1):
        x = conv_norm_act(x, filters, kernel, style=style, name=f"{name}_{k}")
    x = conv_norm(x, filters, last, style=style, name=f"{name}_{len(row.kernels)}")
    return activation(add(shortcut, x, rate=rate, name=name), style, f"{name}_out")
