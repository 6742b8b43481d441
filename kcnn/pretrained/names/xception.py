"""Xception in the files of keras.applications."""

import re

from kcnn.pretrained.layouts import UNIT, layout, parsed

ENDS = {"stem": "block1_conv1", "stem_norm": "block1_conv1_bn", "c1_2": "block1_conv2", "c1_2_norm": "block1_conv2_bn"}
ENDS |= {"logits": "predictions"}
KERNELS = {"depthwise": "depthwise_kernel", "": "pointwise_kernel"}
LAYER = re.compile(r"c(\d+)_(\d+)_(\w+)")


@layout("xception", "keras", scaling=UNIT)
def keras(layer, row):
    if layer in ENDS:
        return ENDS[layer]
    stage, block, part = parsed(LAYER, layer)
    stage, block, entry = int(stage), int(block), len(row.entry)
    if part.startswith("shortcut"):
        return f"{'batch_normalization' if part.endswith('_norm') else 'conv2d'}#{stage - 1}"
    number = stage if block == 1 else stage + block - 1
    if stage == entry + 2:
        number = stage + row.middle + block - 1
    convolution, _, kind = part.partition("_")
    name = f"block{number}_sepconv{convolution}"
    return f"{name}_bn" if kind == "norm" else {"kernel": f"{name}/{KERNELS[kind]}"}
