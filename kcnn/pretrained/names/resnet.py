"""ResNets in the files of torchvision, timm and keras.applications, and ResNets with norms first in those of Keras.

timm's resnetv2 nets halve the size in the first block of a stage and have no biases: they are other networks.
"""

import re

from kcnn.pretrained.layouts import CAFFE, UNIT, layout, parsed

LAYER = re.compile(r"c(\d+)_(\d+)_(\w+?)(_norm)?")
TORCH_ENDS = {"stem": "conv1", "stem_norm": "bn1", "logits": "fc"}
KERAS_ENDS = {"stem": "conv1_conv", "stem_norm": "conv1_bn", "final_norm": "post_bn", "logits": "predictions"}
NUMBERS = {"reduce": 1, "spatial": 2, "expand": 3, "first": 1, "second": 2, "shortcut": 0}

# Those with the stride in the 3x3; the CIFAR nets and plain nets are not in other programs' files under these names.
LATER = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "wide_resnet50_2", "wide_resnet101_2")
LATER += ("resnext50_32x4d", "resnext101_32x8d")
FIRST = ("resnet50_v1", "resnet101_v1", "resnet152_v1")
SECOND = ("resnet50v2", "resnet101v2", "resnet152v2")


@layout("resnet", "torchvision", "timm", variants=LATER)
def torchvision(layer, row):
    if layer in TORCH_ENDS:
        return TORCH_ENDS[layer]
    stage, block, part, norm = parsed(LAYER, layer)
    name = f"layer{int(stage) - 1}.{int(block) - 1}"
    if part == "shortcut":
        return f"{name}.downsample.{int(bool(norm))}"
    return f"{name}.{'bn' if norm else 'conv'}{NUMBERS[part]}"


@layout("resnet", "keras", scaling=CAFFE, variants=FIRST)
@layout("resnet_v2", "keras", scaling=UNIT)
def keras(layer, row):
    if layer in KERAS_ENDS:
        return KERAS_ENDS[layer]
    stage, block, part, norm = parsed(LAYER, layer)
    name = f"conv{stage}_block{block}"
    return f"{name}_preact_bn" if part == "before" else f"{name}_{NUMBERS[part]}_{'bn' if norm else 'conv'}"


# The published files are older than the last layer's name.
@layout("resnet", "keras", scaling=CAFFE, variants=FIRST, edition="published")
@layout("resnet_v2", "keras", scaling=UNIT, variants=SECOND)
def published(layer, row):
    return "probs" if layer == "logits" else keras(layer, row)
