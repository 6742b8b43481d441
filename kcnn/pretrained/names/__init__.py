"""One family a file: our layers' names -> those of other programs. Importing this registers them in `LAYOUTS`."""

from kcnn.pretrained.names import convnext, efficientnet, ghostnet, mobilenet, mobilenet_v3, shufflenet_v2

__all__ = ["convnext", "efficientnet", "ghostnet", "mobilenet", "mobilenet_v3", "shufflenet_v2"]
