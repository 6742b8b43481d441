"""ShuffleNet V2 in the files of torchvision."""

import re

from kcnn.pretrained.layouts import layout, parsed

LAYER = re.compile(r"c(\d+)_(\d+)_(\w+?)(_norm)?")
ENDS = {"stem": "conv1.0", "stem_norm": "conv1.1", "final": "conv5.0", "final_norm": "conv5.1", "logits": "fc"}
PARTS = {
    "shortcut_depthwise": ("branch1.0", "branch1.1"),
    "shortcut": ("branch1.2", "branch1.3"),
    "reduce": ("branch2.0", "branch2.1"),
    "depthwise": ("branch2.3", "branch2.4"),
    "expand": ("branch2.5", "branch2.6"),
}


@layout("shufflenet_v2", "torchvision")
def torchvision(layer, row):
    if layer in ENDS:
        return ENDS[layer]
    stage, block, part, norm = parsed(LAYER, layer)
    return f"stage{int(stage) - 1}.{int(block) - 1}.{PARTS[part][bool(norm)]}"
