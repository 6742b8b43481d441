"""One family a file: our layers' names -> those of other programs. Importing this registers them in `LAYOUTS`."""

from kcnn.pretrained.names import (
    alexnet,
    convnext,
    densenet,
    efficientnet,
    ghostnet,
    googlenet,
    inception_v3,
    mobilenet,
    mobilenet_v2,
    mobilenet_v3,
    nasnet,
    regnet,
    resnet,
    shufflenet_v2,
    vgg,
    xception,
)

__all__ = [
    "alexnet",
    "convnext",
    "densenet",
    "efficientnet",
    "ghostnet",
    "googlenet",
    "inception_v3",
    "mobilenet",
    "mobilenet_v2",
    "mobilenet_v3",
    "nasnet",
    "regnet",
    "resnet",
    "shufflenet_v2",
    "vgg",
    "xception",
    coatnet,
    convnext,
    efficientnet,
    ghostnet,
    mobilenet,
    mobilenet_v3,
    shufflenet_v2,
    swin,
    vit,
)

__all__ = [
    "coatnet",
    "swin",
    "vit",
]
