"""The teaching net: three times convolution, norm, ReLU, pooling and dropout, then two fully connected layers."""

from dataclasses import dataclass, field

import keras

from kcnn.architectures.family import Row, deepest, family
from kcnn.layers import Style, conv_norm_act, dense_act, dropout, max_pool


@dataclass(frozen=True)
class SimpleCNN(Row):
    """filters: of each block; hidden: units of the own top; dropout: share dropped after each pooling."""

    residual = False

    filters: tuple[int, ...] = (32, 64, 128)
    hidden: int = 512
    dropout: float = 0.25
    style: Style = field(default=Style(conv_bias=True), kw_only=True)


VARIANTS = {
    "simple_cnn_toy": SimpleCNN((4, 6, 8), hidden=16, image=(32, 32, 3), classes=10),
    "simple_cnn": SimpleCNN(params=1_147_914, image=(32, 32, 3), classes=10),
}


def one_hidden(levels, row):
    """Flatten the last map and pass it through one hidden layer: (B, hidden)."""
    x = keras.layers.Flatten(name="flatten")(deepest(levels))
    return dense_act(x, row.hidden, row.style, "hidden")


@family(VARIANTS, top=one_hidden)
def simple_cnn(x, row):
    """Double the filters when halving the size. Both stems are the same: it starts with 3x3 at stride 1."""
    levels = {}
    for n, filters in enumerate(row.filters):
        x = levels[f"c{n}"] = conv_norm_act(x, filters, 3, style=row.style, name=f"c{n}_1")
        x = max_pool(x, 2, strides=2, name=f"c{n + 1}_pool")
        x = levels[f"c{n + 1}"] = dropout(x, row.dropout, f"c{n + 1}_dropout")
    return levels
