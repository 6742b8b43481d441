"""Convolution and pooling by the rank of the tensor: (B, T, C), (B, H, W, C) or (B, D, H, W, C)."""

import keras

from kcnn.errors import UserError
from kcnn.layers.spatial import PadEdges, PadShort, Subsample

if keras.backend.backend() == "tensorflow":
    from kcnn.layers import tensorflow_kernels as kernels

    GROUPED = {1: kernels.GroupedConvolution1D, 2: kernels.GroupedConvolution2D, 3: kernels.GroupedConvolution3D}
else:
    GROUPED = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D, 3: keras.layers.Conv3D}

PLAIN = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D, 3: keras.layers.Conv3D}
DEPTHWISE = {1: keras.layers.DepthwiseConv1D, 2: keras.layers.DepthwiseConv2D}


# Below so many channels, TensorFlow 2.21 with oneDNN writes beyond its memory in the kernel gradient of strided 1×1
# convolutions of small batches. From there on it is right, and leaving out places first would only cost time.
NARROW = 16


def rank_of(x):
    """The number of spatial axes of `x` (B, spatial..., C): 1, 2 or 3."""
    rank = len(x.shape) - 2
    if rank not in PLAIN:
        raise UserError(f"an image of shape {tuple(x.shape[1:])} has {rank} spatial axes: networks take 1, 2 or 3")
    return rank


def convolve(
    x, filters, kernel, *, strides=1, dilation=1, groups=1, padding=None, bias=None, bias_start=0, style, name
):
    """`x` (B, n..., C) convolved to (B, ceil(n / strides)..., filters), whatever the padding of `style`.

    strides and dilation are one number for all axes, and so is kernel, or odd numbers, one an axis, at stride 1.
    padding and bias, where given, replace the style's; padding may then be "valid" too, or "fit" (see `unpadded`). The
    bias starts at `bias_start`.
    """
    if kernel == 1 and strides > 1 and x.shape[-1] < NARROW:
        x, strides = Subsample(strides, name=f"{name}_subsample")(x), 1
    x, padding = _padded(x, kernel, strides, dilation, padding or style.padding, name)
    layer = (PLAIN if groups == 1 else GROUPED)[rank_of(x)]
    return layer(
        filters,
        kernel,
        strides=strides,
        padding=padding,
        dilation_rate=dilation,
        groups=groups,
        use_bias=style.bias if bias is None else bias,
        kernel_initializer=style.initializer(groups),
        bias_initializer=keras.initializers.Constant(bias_start) if bias_start else "zeros",
        name=name,
    )(x)


def depthwise(x, kernel, *, strides=1, dilation=1, bias=None, style, name):
    """Each channel of `x` (B, n..., C) convolved by itself: (B, ceil(n / strides)..., C)."""
    rank, channels = rank_of(x), x.shape[-1]
    if rank == 3:
        return convolve(
            x, channels, kernel, strides=strides, dilation=dilation, groups=channels, bias=bias, style=style, name=name
        )
    x, padding = _padded(x, kernel, strides, dilation, style.padding, name)
    return DEPTHWISE[rank](
        kernel,
        strides=strides,
        padding=padding,
        dilation_rate=dilation,
        use_bias=style.bias if bias is None else bias,
        depthwise_initializer=style.initializer(),
        name=name,
    )(x)


def transposed(x, filters, kernel, *, strides=2, bias=None, style, name):
    """`x` (B, n..., C) to (B, strides x n..., filters): the convolution whose gradient a strided one has."""
    layer = {1: keras.layers.Conv1DTranspose, 2: keras.layers.Conv2DTranspose, 3: keras.layers.Conv3DTranspose}
    return layer[rank_of(x)](
        filters,
        kernel,
        strides=strides,
        padding="same",
        use_bias=style.bias if bias is None else bias,
        kernel_initializer=style.initializer(mode="fan_in"),
        name=name,
    )(x)


def max_pool(x, size, *, strides, padding="same", name):
    """Largest value of each window; "symmetric" pads zeros, as the references with `ZeroPadding2D` do."""
    x, padding = _padded(x, size, strides, 1, padding, name)
    layer = {1: keras.layers.MaxPooling1D, 2: keras.layers.MaxPooling2D, 3: keras.layers.MaxPooling3D}[rank_of(x)]
    return layer(size, strides=strides, padding=padding, name=name)(x)


def average_pool(x, size, *, strides, padding="same", name):
    """Mean of each window, over the pixels inside the picture where padding is "same"."""
    x, padding = _padded(x, size, strides, 1, padding, name)
    kinds = {1: keras.layers.AveragePooling1D, 2: keras.layers.AveragePooling2D, 3: keras.layers.AveragePooling3D}
    return kinds[rank_of(x)](size, strides=strides, padding=padding, name=name)(x)


def global_average_pool(x, name="pool", *, keepdims=False):
    """(B, n..., C) -> (B, C), the mean over space; with `keepdims` (B, 1..., C)."""
    kinds = {
        1: keras.layers.GlobalAveragePooling1D,
        2: keras.layers.GlobalAveragePooling2D,
        3: keras.layers.GlobalAveragePooling3D,
    }
    return kinds[rank_of(x)](keepdims=keepdims, name=name)(x)


def zero_pad(x, before, after, name):
    """`x` with `before` and `after` zeros at the two ends of every spatial axis; each a number, or one an axis."""
    rank = rank_of(x)
    widths = tuple((_each(before, rank)[axis], _each(after, rank)[axis]) for axis in range(rank))
    layer = {1: keras.layers.ZeroPadding1D, 2: keras.layers.ZeroPadding2D, 3: keras.layers.ZeroPadding3D}[rank]
    return layer(widths[0] if rank == 1 else widths, name=name)(x)


def crop(x, before, after, name):
    """`x` without the first `before` and last `after` places of every spatial axis; each a number, or one an axis."""
    rank = rank_of(x)
    widths = tuple((_each(before, rank)[axis], _each(after, rank)[axis]) for axis in range(rank))
    layer = {1: keras.layers.Cropping1D, 2: keras.layers.Cropping2D, 3: keras.layers.Cropping3D}[rank]
    return layer(widths[0] if rank == 1 else widths, name=name)(x)


def _padded(x, kernel, strides, dilation, padding, name):
    """`x` and the padding Keras is to use: "same" for even kernels, and for odd ones at stride 1 with zeros.

    The latter need no explicit zeros: the two kinds agree. Of "fit" it is "valid".
    """
    if padding in ("same", "valid"):
        return x, padding
    if padding == "fit":
        return PadShort(_each(kernel, rank_of(x)), strides, f"{name}_fit")(x), "valid"
    odd, zeros = all(size % 2 for size in _each(kernel, 1)), padding == "symmetric"
    if not odd or (zeros and strides == 1):
        return x, "same"
    margin = tuple(dilation * (size // 2) for size in _each(kernel, rank_of(x)))
    if not any(margin):
        return x, "valid"
    return (
        zero_pad(x, margin, margin, f"{name}_pad") if zeros else PadEdges(margin, padding, f"{name}_pad")(x)
    ), "valid"


def unpadded(x, window):
    """The padding for nets that let windows eat the frame: "valid" where `window` fits into every side of `x`.

    "same" where it does not; "fit", which decides picture by picture, where the size of `x` is open.
    """
    sides = x.shape[1:-1]
    if any(side is not None and side < window for side in sides):
        return "same"
    return "fit" if None in sides else "valid"


def _each(number, rank):
    return number if isinstance(number, tuple) else (number,) * rank
