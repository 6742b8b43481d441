"""Xception in the files of keras.applications and timm, as its legacy_xception.

timm's xception41, 65 and 71 are DeepLab's, which differ from ours in more than names.
"""

import re

from kcnn.pretrained.layouts import UNIT, layout, parsed

KERAS = {
    "stem": "block1_conv1",
    "stem_norm": "block1_conv1_bn",
    "c1_2": "block1_conv2",
    "c1_2_norm": "block1_conv2_bn",
    "logits": "predictions",
}
KERAS_KERNELS = {"depthwise": "depthwise_kernel", "": "pointwise_kernel"}
TIMM = {"stem": "conv1", "stem_norm": "bn1", "c1_2": "conv2", "c1_2_norm": "bn2", "logits": "fc"}
TIMM_KERNELS = {"depthwise": "conv1", "": "pointwise"}
LAYER = re.compile(r"c(\d+)_(\d+)_(\w+)")


@layout("xception", "keras", scaling=UNIT)
def keras(layer, row):
    if layer in KERAS:
        return KERAS[layer]
    stage, number, convolution, kind = _parsed(layer, row)
    if convolution == "shortcut":
        return f"{'batch_normalization' if kind == 'norm' else 'conv2d'}#{stage - 1}"
    name = f"block{number + 1}_sepconv{convolution}"
    return f"{name}_bn" if kind == "norm" else {"kernel": f"{name}/{KERAS_KERNELS[kind]}"}


@layout("xception", "timm", scaling=UNIT, style={"padding": "symmetric", "epsilon": 1e-5})
def timm(layer, row):
    if layer in TIMM:
        return TIMM[layer]
    _, number, convolution, kind = _parsed(layer, row)
    if convolution == "shortcut":
        return f"block{number}.skip{'bn' if kind == 'norm' else ''}"
    if number > len(row.entry) + row.middle + 1:  # what follows the blocks
        place = int(convolution) + 2
        return f"bn{place}" if kind == "norm" else f"conv{place}.{TIMM_KERNELS[kind]}"
    place = 3 * (int(convolution) - 1) + (number > 1)  # the first block begins without an activation
    return f"block{number}.rep.{place + 1}" if kind == "norm" else f"block{number}.rep.{place}.{TIMM_KERNELS[kind]}"


def _parsed(layer, row):
    """(stage, block in the net from 1, convolution or "shortcut", "depthwise", "norm" or "") of a layer."""
    stage, block, part = parsed(LAYER, layer)
    stage, block, entry = int(stage), int(block), len(row.entry)
    number = stage + block - 2 + (row.middle if stage == entry + 2 else 0)
    convolution, _, kind = part.partition("_")
    return stage, number, convolution, kind
