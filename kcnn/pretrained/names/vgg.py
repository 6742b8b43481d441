"""VGG nets in the files of torchvision, timm and keras.applications."""

from kcnn.pretrained.layouts import CAFFE, layout

TORCHVISION = {"fc1": "classifier.0", "fc2": "classifier.3", "logits": "classifier.6"}
TIMM = {"fc1": "pre_logits.fc1", "fc2": "pre_logits.fc2", "logits": "head.fc"}
KERAS = {"fc1": "fc1", "fc2": "fc2", "logits": "predictions"}


@layout("vgg", "torchvision")
def torchvision(layer, row):
    return TORCHVISION.get(layer) or _feature(layer, row)


@layout("vgg", "timm")
def timm(layer, row):
    return TIMM.get(layer) or _feature(layer, row)


@layout("vgg", "keras", scaling=CAFFE, variants=("vgg16", "vgg19"))
def keras(layer, row):
    if layer in KERAS:
        return KERAS[layer]
    block, i = layer[1:].split("_")
    return f"block{int(block) + 1}_conv{i}"


def _feature(layer, row):
    """Modules are numbered one after the other: convolution, norm if any, activation, and poolings between blocks."""
    block, i, *norm = layer[1:].split("_")
    each = 2 if row.style.norm == "none" else 3
    before = sum(row.depths[: int(block)]) + int(i) - 1
    return f"features.{before * each + int(block) + len(norm)}"
