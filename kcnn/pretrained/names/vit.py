"""ViT in the files of timm and torchvision."""

import re

from kcnn.pretrained.layouts import UNIT, layout, parsed

LAYER = re.compile(r"block_(\d+)_(\w+)")
TIMM = {"stem": "patch_embed.proj", "final_norm": "norm", "logits": "head"}
TIMM_PARTS = {
    "attend_norm": "norm1",
    "qkv": "attn.qkv",
    "attend_project": "attn.proj",
    "mlp_norm": "norm2",
    "mlp_expand": "mlp.fc1",
    "mlp_project": "mlp.fc2",
}
TORCHVISION = {"stem": "conv_proj", "final_norm": "encoder.ln", "logits": "heads.head"}
TORCHVISION_PARTS = {"attend_norm": "ln_1", "attend_project": "self_attention.out_proj", "mlp_norm": "ln_2"}
DENSE = {"mlp_expand": "mlp.0", "mlp_project": "mlp.3"}
OLD_DENSE = {"mlp_expand": "mlp.linear_1", "mlp_project": "mlp.linear_2"}
QKV = {"kernel": "weight", "bias": "bias"}


@layout("vit", "timm", scaling=UNIT)
def timm(layer, row):
    if layer == "tokens":
        return {"class_token": "cls_token", "positions": "pos_embed"}
    if layer in TIMM:
        return TIMM[layer]
    block, part = parsed(LAYER, layer)
    return f"blocks.{int(block) - 1}.{TIMM_PARTS[part]}"


def _torchvision(dense):
    """The names with those of a block's two dense layers."""
    parts = TORCHVISION_PARTS | dense

    def torchvision(layer, row):
        if layer == "tokens":
            return {"class_token": "class_token", "positions": "encoder.pos_embedding"}
        if layer in TORCHVISION:
            return TORCHVISION[layer]
        block, part = parsed(LAYER, layer)
        module = f"encoder.layers.encoder_layer_{int(block) - 1}"
        if part == "qkv":
            return {kind: f"{module}.self_attention.in_proj_{theirs}" for kind, theirs in QKV.items()}
        return f"{module}.{parts[part]}"

    return torchvision


layout("vit", "torchvision")(_torchvision(DENSE))
# The published file is older than these names of dense layers.
layout("vit", "torchvision", variants=("vit_base16",))(_torchvision(OLD_DENSE))
