"""One family a file: image -> levels. Importing this room registers them all in `ARCHITECTURES`."""

from kcnn.architectures import lenet5, mobilenet_v2, resnet, resnet_v2, simple_cnn, vgg
from kcnn.architectures.family import (
    ARCHITECTURES,
    Row,
    Variant,
    check_rank,
    check_size,
    customized,
    deepest,
    family,
    is_level,
    stride_of,
)

__all__ = [
    "ARCHITECTURES",
    "Row",
    "Variant",
    "check_rank",
    "check_size",
    "customized",
    "deepest",
    "family",
    "is_level",
    "lenet5",
    "mobilenet_v2",
    "resnet",
    "resnet_v2",
    "simple_cnn",
    "stride_of",
    "vgg",
]
