"""One task head a file: levels -> answers. Importing this room registers them all in `HEADS`."""

from kcnn.heads.classifier import Classifier
from kcnn.heads.registry import HEADS

__all__ = ["HEADS", "Classifier"]
