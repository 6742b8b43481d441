"""RegNets in the files of timm and torchvision."""

import re

from kcnn.pretrained.layouts import layout, parsed

LAYER = re.compile(r"c(\d+)_(\d+)_(\w+?)(_norm)?")
TIMM = {"reduce": "conv1", "spatial": "conv2", "expand": "conv3", "shortcut": "downsample"}
TORCHVISION = {"reduce": "f.a", "spatial": "f.b", "expand": "f.c", "shortcut": "proj"}
SQUEEZE = {"squeeze_reduce": "se.fc1", "squeeze_expand": "se.fc2"}
TIMM_ENDS = {"stem": "stem.conv", "stem_norm": "stem.bn", "logits": "head.fc"}
TORCHVISION_ENDS = {"stem": "stem.0", "stem_norm": "stem.1", "logits": "fc"}
# torchvision's other sizes are rounded differently and are not the paper's nets.
SHARED = ("regnetx_016", "regnetx_032", "regnety_016", "regnety_032")


@layout("regnet", "timm")
def timm(layer, row):
    if layer in TIMM_ENDS:
        return TIMM_ENDS[layer]
    stage, block, part, norm = parsed(LAYER, layer)
    kind = SQUEEZE[part] if part in SQUEEZE else f"{TIMM[part]}.{'bn' if norm else 'conv'}"
    return f"s{int(stage) - 1}.b{block}.{kind}"


@layout("regnet", "torchvision", variants=SHARED)
def torchvision(layer, row):
    if layer in TORCHVISION_ENDS:
        return TORCHVISION_ENDS[layer]
    stage, block, part, norm = parsed(LAYER, layer)
    kind = f"f.{SQUEEZE[part]}" if part in SQUEEZE else f"{TORCHVISION[part]}.{int(bool(norm))}"
    return f"trunk_output.block{int(stage) - 1}.block{int(stage) - 1}-{int(block) - 1}.{kind}"
