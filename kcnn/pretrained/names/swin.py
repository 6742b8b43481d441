"""Swin transformers in the files of torchvision and timm."""

import re

from kcnn.pretrained.layouts import layout, parsed

LAYER = re.compile(r"c(\d+)_(?:(\d+)_)?(\w+)")
TORCHVISION = {"stem": "features.0.0", "stem_norm": "features.0.2", "final_norm": "norm", "logits": "head"}
TIMM = {"stem": "patch_embed.proj", "stem_norm": "patch_embed.norm", "final_norm": "norm", "logits": "head.fc"}
PARTS = {"attend_norm": "norm1", "qkv": "attn.qkv", "attend_project": "attn.proj", "mlp_norm": "norm2"}
TORCHVISION_PARTS = PARTS | {"mlp_expand": "mlp.0", "mlp_project": "mlp.3"}
TIMM_PARTS = PARTS | {"mlp_expand": "mlp.fc1", "mlp_project": "mlp.fc2"}
REDUCE = {"reduce": "reduction", "reduce_norm": "norm"}


@layout("swin", "torchvision")
def torchvision(layer, row):
    if layer in TORCHVISION:
        return TORCHVISION[layer]
    stage, block, part = parsed(LAYER, layer)
    stage = int(stage) - 2
    if block is None:
        return f"features.{2 * stage}.{REDUCE[part]}"
    return _part(f"features.{2 * stage + 1}.{int(block) - 1}", part, TORCHVISION_PARTS)


@layout("swin", "timm")
def timm(layer, row):
    if layer in TIMM:
        return TIMM[layer]
    stage, block, part = parsed(LAYER, layer)
    stage = int(stage) - 2
    if block is None:
        return f"layers.{stage}.downsample.{REDUCE[part]}"
    return _part(f"layers.{stage}.blocks.{int(block) - 1}", part, TIMM_PARTS)


def _part(block, part, parts):
    if part == "attend":
        return {"relative_position": f"{block}.attn.relative_position_bias_table"}
    return f"{block}.{parts[part]}"
