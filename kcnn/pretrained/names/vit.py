"""ViT in the files of timm."""

import re

from kcnn.pretrained.layouts import UNIT, layout, parsed

LAYER = re.compile(r"block_(\d+)_(\w+)")
ENDS = {"stem": "patch_embed.proj", "final_norm": "norm", "logits": "head"}
PARTS = {
    "attend_norm": "norm1",
    "qkv": "attn.qkv",
    "attend_project": "attn.proj",
    "mlp_norm": "norm2",
    "mlp_expand": "mlp.fc1",
    "mlp_project": "mlp.fc2",
}


@layout("vit", "timm", scaling=UNIT)
def timm(layer, row):
    if layer == "tokens":
        return {"class_token": "cls_token", "positions": "pos_embed"}
    if layer in ENDS:
        return ENDS[layer]
    block, part = parsed(LAYER, layer)
    return f"blocks.{int(block) - 1}.{PARTS[part]}"
