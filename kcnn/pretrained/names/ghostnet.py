"""GhostNet in the files of timm."""

import re

from kcnn.pretrained.layouts import layout, parsed

LAYER = re.compile(r"c(\d+)_(\d+)_(\w+?)(_norm)?")
ENDS = {"stem": "conv_stem", "stem_norm": "bn1", "final": "blocks.9.0.conv", "final_norm": "blocks.9.0.bn1"}
ENDS |= {"hidden": "conv_head", "logits": "classifier"}
PARTS = {
    "shortcut_depthwise": ("shortcut.0", "shortcut.1"),
    "shortcut": ("shortcut.2", "shortcut.3"),
    "expand_primary": ("ghost1.primary_conv.0", "ghost1.primary_conv.1"),
    "expand_cheap": ("ghost1.cheap_operation.0", "ghost1.cheap_operation.1"),
    "depthwise": ("conv_dw", "bn_dw"),
    "excite_reduce": ("se.conv_reduce",),
    "excite_expand": ("se.conv_expand",),
    "project_primary": ("ghost2.primary_conv.0", "ghost2.primary_conv.1"),
    "project_cheap": ("ghost2.cheap_operation.0", "ghost2.cheap_operation.1"),
}


@layout("ghostnet", "timm")
def timm(layer, row):
    if layer in ENDS:
        return ENDS[layer]
    label, count, part, norm = parsed(LAYER, layer)
    label, count = int(label), int(count)
    # There a block with a stride is a stage of its own, and the blocks behind it are another.
    stage, block = (2 * label - 3, 0) if count == 1 and label > 1 else (2 * label - 2, count - 1 - (label > 1))
    return f"blocks.{stage}.{block}.{PARTS[part][bool(norm)]}"
