"""Dosovitskiy et al. 2021, An image is worth 16x16 words: a plain transformer on patches of the picture.

For comparison with convolutional networks: no locality but that of the patches, and everything else learned.
"""

from dataclasses import dataclass, field

import keras
from keras import ops

from kcnn.architectures.family import Row, family
from kcnn.architectures.history import History
from kcnn.errors import UserError
from kcnn.layers import SelfAttention, Style, add, convolve, dense, drop_path_rates, feed_forward, normalize

SMALL_PATCH = 4


@dataclass(frozen=True)
class ViT(Row):
    """patch: side of the patches, a power of 2; width, depth, heads: of the transformer; hidden: times the width."""

    width: int = 192
    heads: int = 3
    depth: int = 12
    patch: int = 16
    hidden: int = 4
    style: Style = field(default=Style(norm="layer", activation="gelu", epsilon=1e-6), kw_only=True)

    def __post_init__(self):
        if self.patch & (self.patch - 1):
            raise UserError(f"patch is {self.patch}: it must be a power of 2, for levels are")
        if self.width % self.heads:
            raise UserError(f"width is {self.width}: it must divide by heads={self.heads}")

    @property
    def grid(self):
        """The map of the picture that the positions are learned for."""
        return tuple(side // self.patch for side in self.image[:-1])


HISTORY = History(
    2020,
    "Dosovitskiy et al. 2020, An image is worth 16x16 words",
    None,
    "no convolution but the first: attention among patches of the picture",
)

# As in timm, vit_tiny_patch16_224 and so on.
VARIANTS = {
    "vit_toy": ViT(16, heads=2, depth=2, hidden=2),
    "vit_tiny16": ViT(192, heads=3, params=5_717_416),
    "vit_small16": ViT(384, heads=6, params=22_050_664),
    "vit_base16": ViT(768, heads=12, params=86_567_656),
}


def class_token(levels, row):
    """The token that stands for the whole picture: (B, width)."""
    return levels["class"]


@family(VARIANTS, top=class_token, ranks=(2,), history=HISTORY)
def vit(x, row):
    """Patches as words, with a class token and learned positions, through equal blocks of attention.

    It has one level, that of its patches. The small stem takes patches of 4 pixels. Positions are learned on the grid
    of the row's picture, and interpolated to others.
    """
    style, patch = row.style, SMALL_PATCH if row.stem == "small" else row.patch
    whole = convolve(x, row.width, patch, strides=patch, bias=True, style=style, name="stem")
    x = TokensAndPositions(row.grid, name="tokens")(whole)
    for i, rate in enumerate(drop_path_rates((row.depth,), style.drop_path)[0], start=1):
        x = block(x, row.heads, row.hidden, style, rate, f"block_{i}")
    x = normalize(x, style, "final_norm")
    token = TakeToken(name="class")(x)
    return {f"c{patch.bit_length() - 1}": PlacesOfTokens(name="places")(x, whole), "class": token}


def block(x, heads, hidden, style, rate, name):
    """Attention, then two dense layers, each after a norm and beside a shortcut: (B, N, C) -> (B, N, C)."""
    y = dense(normalize(x, style, f"{name}_attend_norm"), 3 * x.shape[-1], f"{name}_qkv")
    y = dense(SelfAttention(heads, name=f"{name}_attend")(y), x.shape[-1], f"{name}_attend_project")
    x = add(x, y, rate=rate, name=f"{name}_attend")
    y = normalize(x, style, f"{name}_mlp_norm")
    return add(x, feed_forward(y, hidden * x.shape[-1], style, f"{name}_mlp"), rate=rate, name=f"{name}_mlp")


@keras.saving.register_keras_serializable(package="kcnn")
class TokensAndPositions(keras.layers.Layer):
    """A map (B, h, w, C) as tokens (B, 1 + h w, C): the class token first, a learned position added to each.

    Positions are learned on the `grid` (h, w) and interpolated to the map's.
    """

    def __init__(self, grid, **kwargs):
        super().__init__(**kwargs)
        self.grid = tuple(grid)

    def build(self, input_shape):
        small = keras.initializers.TruncatedNormal(stddev=0.02)
        width, places = input_shape[-1], self.grid[0] * self.grid[1]
        self.token = self.add_weight(shape=(1, 1, width), initializer=small, name="class_token")
        self.positions = self.add_weight(shape=(1, 1 + places, width), initializer=small, name="positions")

    def call(self, inputs):
        batch, height, width, channels = ops.shape(inputs)
        known = isinstance(height, int) and isinstance(width, int)
        token, places = self.positions[:, :1], self.positions[:, 1:]
        if not known or (height, width) != self.grid:
            places = resampled(places, self.grid, (height, width))
        first = ops.cast(self.token + token, inputs.dtype)
        x = ops.reshape(inputs, (batch, height * width, channels)) + ops.cast(places, inputs.dtype)
        return ops.concatenate([ops.broadcast_to(first, (batch, 1, channels)), x], axis=1)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, None if None in (height, width) else 1 + height * width, channels)

    def get_config(self):
        return {**super().get_config(), "grid": self.grid}


@keras.saving.register_keras_serializable(package="kcnn")
class TakeToken(keras.layers.Layer):
    """The class token of (B, 1 + N, C): (B, C)."""

    def call(self, inputs):
        return inputs[:, 0]

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])


@keras.saving.register_keras_serializable(package="kcnn")
class PlacesOfTokens(keras.layers.Layer):
    """The other tokens of (B, 1 + h w, C) as a map (B, h, w, C) like `whole`."""

    def build(self, inputs_shape, whole_shape):
        self.built = True

    def call(self, inputs, whole):
        return ops.reshape(inputs[:, 1:], ops.shape(whole))

    def compute_output_shape(self, inputs_shape, whole_shape):
        return whole_shape


def resampled(places, grid, size):
    """Positions (1, h w, C) of the places of a `grid` (h, w), interpolated to those of a grid of another `size`."""
    (height, width), channels = size, places.shape[-1]
    down, right = _cubic(height, grid[0]), _cubic(width, grid[1])
    places = ops.einsum("hi,wj,bijc->bhwc", down, right, ops.reshape(places, (1, *grid, channels)))
    return ops.reshape(places, (1, height * width, channels))


def _cubic(size, grid):
    """(size, grid): how much each of `grid` places gives to each of `size`, interpolated by antialiased cubics."""
    step = grid / ops.cast(size, "float32")
    centres = (ops.cast(ops.arange(size, dtype="int32"), "float32") + 0.5) * step - 0.5
    places = ops.cast(ops.arange(grid, dtype="int32"), "float32")
    far = ops.abs(centres[:, None] - places[None, :]) / ops.maximum(step, 1.0)
    inner, outer = (1.5 * far - 2.5) * far * far + 1.0, ((2.5 - 0.5 * far) * far - 4.0) * far + 2.0
    weights = ops.where(far < 1, inner, ops.where(far < 2, outer, 0.0))
    return weights / ops.sum(weights, axis=1, keepdims=True)
