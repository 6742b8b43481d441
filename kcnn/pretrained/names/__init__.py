"""One family a file: our layers' names -> those of other programs. Importing this registers them in `LAYOUTS`."""

from kcnn.pretrained.names import (
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
    "convnext",
    "efficientnet",
    "ghostnet",
    "mobilenet",
    "mobilenet_v3",
    "shufflenet_v2",
    "swin",
    "vit",
]
