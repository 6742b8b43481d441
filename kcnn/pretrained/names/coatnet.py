"""CoAtNet in the files of timm."""

import re

from kcnn.pretrained.layouts import UNIT, layout, parsed

LAYER = re.compile(r"c(\d+)_(\d+)_(\w+)")
ENDS = {"stem": "stem.conv1", "stem_norm": "stem.norm1", "stem_second": "stem.conv2"}
ENDS |= {"pool_norm": "head.norm", "hidden": "head.pre_logits.fc", "logits": "head.fc"}
CONVOLUTION = {
    "shortcut": "shortcut.expand",
    "norm": "pre_norm",
    "expand": "conv1_1x1",
    "expand_norm": "norm1",
    "depthwise": "conv2_kxk",
    "depthwise_norm": "norm2",
    "excite_reduce": "se.fc1",
    "excite_expand": "se.fc2",
    "project": "conv3_1x1",
}
ATTENTION = {
    "shortcut": "shortcut.expand",
    "qkv": "attn.qkv",
    "attend_project": "attn.proj",
    "mlp_norm": "norm2",
    "mlp_expand": "mlp.fc1",
    "mlp_project": "mlp.fc2",
}


@layout("coatnet", "timm", scaling=UNIT)
def timm(layer, row):
    if layer in ENDS:
        return ENDS[layer]
    stage, block, part = parsed(LAYER, layer)
    stage, block = int(stage) - 2, int(block) - 1
    module = f"stages.{stage}.blocks.{block}"
    if part == "attend":
        return {"relative_position": f"{module}.attn.rel_pos.relative_position_bias_table"}
    if part == "attend_norm":
        return f"{module}.{'norm1' if block else 'norm1.norm'}"
    return f"{module}.{(ATTENTION if row.attention[stage] else CONVOLUTION)[part]}"
