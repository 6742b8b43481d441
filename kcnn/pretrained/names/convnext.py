"""ConvNeXt in the files of torchvision, timm and keras.applications."""

import re

from kcnn.pretrained.layouts import layout, parsed

LAYER = re.compile(r"c(\d+)_(?:(\d+)_)?(\w+)")
TORCHVISION = {
    "stem": "features.0.0",
    "stem_norm": "features.0.1",
    "pool_norm": "classifier.0",
    "logits": "classifier.2",
}
TIMM = {"stem": "stem.0", "stem_norm": "stem.1", "pool_norm": "head.norm", "logits": "head.fc"}
KERAS = {"stem": "stem", "stem_norm": "stem", "pool_norm": "head_layernorm", "logits": "head_dense"}
TORCHVISION_PARTS = {"depthwise": "block.0", "norm": "block.2", "expand": "block.3", "project": "block.5"}
TIMM_PARTS = {"depthwise": "conv_dw", "norm": "norm", "expand": "mlp.fc1", "project": "mlp.fc2"}
KERAS_PARTS = {"depthwise": "depthwise_conv", "norm": "layernorm", "scale": "layer_scale"}
KERAS_PARTS |= {"expand": "pointwise_conv_1", "project": "pointwise_conv_2"}


@layout("convnext", "torchvision")
def torchvision(layer, row):
    if layer in TORCHVISION:
        return TORCHVISION[layer]
    stage, block, part = _parsed(layer)
    if block is None:
        return f"features.{2 * stage}.{int(part == 'reduce')}"
    module = f"features.{2 * stage + 1}.{block}"
    return {"gamma": f"{module}.layer_scale"} if part == "scale" else f"{module}.{TORCHVISION_PARTS[part]}"


@layout("convnext", "timm")
def timm(layer, row):
    if layer in TIMM:
        return TIMM[layer]
    stage, block, part = _parsed(layer)
    if block is None:
        return f"stages.{stage}.downsample.{int(part == 'reduce')}"
    module = f"stages.{stage}.blocks.{block}"
    return {"gamma": f"{module}.gamma"} if part == "scale" else f"{module}.{TIMM_PARTS[part]}"


def _keras(prefix):
    """Every layer there begins with the variant's name; stem and downsampling are one layer with its norm."""

    def keras(layer, row):
        if layer in KERAS:
            return f"{prefix}_{KERAS[layer]}"
        stage, block, part = _parsed(layer)
        if block is None:
            return f"{prefix}_downsampling_block_{stage - 1}"
        module = f"{prefix}_stage_{stage}_block_{block}_{KERAS_PARTS[part]}"
        return {"gamma": f"{module}/variable"} if part == "scale" else module

    return keras


for name in ("tiny", "small", "base", "large"):
    layout("convnext", "keras", variants=(f"convnext_{name}",))(_keras(f"convnext_{name}"))


def _parsed(layer):
    """(stage from 0, block from 0 or None, part)."""
    stage, block, part = parsed(LAYER, layer)
    return int(stage) - 2, int(block) - 1 if block else None, part
