"""GoogLeNet in the files of torchvision."""

import re

from kcnn.pretrained.layouts import UNIT, layout, parsed

LAYER = re.compile(r"c(\d+)_(\d+)_(\w+?)(_norm)?")
ENDS = {"stem": "conv1", "c2_reduce": "conv2", "c2_spatial": "conv3"}
ENDS |= {"aux1_reduce": "aux1.conv", "aux2_reduce": "aux2.conv"}
DENSE = {"logits": "fc"}
DENSE |= {f"aux{n}_{part}": f"aux{n}.{name}" for n in (1, 2) for part, name in (("hidden", "fc1"), ("logits", "fc2"))}
PARTS = {"single": "branch1", "spatial_reduce": "branch2.0", "spatial": "branch2.1"}
PARTS |= {"wide_reduce": "branch3.0", "wide": "branch3.1", "project": "branch4.1"}


# Published weights are TensorFlow's: they want -1 … 1, for which torchvision's network transforms its input.
@layout("googlenet", "torchvision", scaling=UNIT, variants=("googlenet_torchvision",))
def torchvision(layer, row):
    if layer in DENSE:
        return DENSE[layer]
    kind = "bn" if layer.endswith("_norm") else "conv"
    plain = layer.removesuffix("_norm")
    if plain in ENDS:
        return f"{ENDS[plain]}.{kind}"
    stage, module, part, _ = parsed(LAYER, layer)
    return f"inception{stage}{chr(ord('a') + int(module) - 1)}.{PARTS[part]}.{kind}"
