"""One task head a file: levels -> answers. Importing this room registers them all in `HEADS`."""

from kcnn.heads.classifier import Classifier
from kcnn.heads.deeplab import DeepLab
from kcnn.heads.fast_rcnn import fast_rcnn
from kcnn.heads.faster_rcnn import FasterRCNN
from kcnn.heads.fcn import FCN
from kcnn.heads.mask_losses import MASK_LOSSES
from kcnn.heads.mask_rcnn import MaskRCNN
from kcnn.heads.registry import HEADS
from kcnn.heads.retinanet import RetinaNet
from kcnn.heads.ssd import SSD
from kcnn.heads.unet import UNet
from kcnn.heads.yolo import YOLO

__all__ = [
    "FCN",
    "HEADS",
    "MASK_LOSSES",
    "SSD",
    "YOLO",
    "Classifier",
    "DeepLab",
    "FasterRCNN",
    "MaskRCNN",
    "RetinaNet",
    "UNet",
    "fast_rcnn",
]
