"""EfficientNets in the files of keras.applications, torchvision, timm and efficientnet_pytorch."""

from kcnn.architectures.efficientnet import plan
from kcnn.pretrained.layouts import TORCH, UNIT, Scaling, layout
from kcnn.pretrained.names.mobile import block_part, timm_block

FIRST = tuple(f"efficientnet_b{n}" for n in range(8))
LITE = tuple(f"efficientnet_lite{n}" for n in range(5))
SECOND = tuple(f"efficientnet_v2_{size}" for size in "sml")

KERAS = {"stem": "stem_conv", "stem_norm": "stem_bn", "final": "top_conv", "final_norm": "top_bn"}
KERAS |= {"logits": "predictions"}
TORCHVISION = {"stem": "features.0.0", "stem_norm": "features.0.1", "logits": "classifier.1"}
TIMM = {"stem": "conv_stem", "stem_norm": "bn1", "final": "conv_head", "final_norm": "bn2", "logits": "classifier"}
PYTORCH = {"stem": "_conv_stem", "stem_norm": "_bn0", "final": "_conv_head", "final_norm": "_bn1", "logits": "_fc"}

KERAS_PARTS = {
    "expand": ("expand_conv", "expand_bn"),
    "fused": ("expand_conv", "expand_bn"),
    "project": ("project_conv", "project_bn"),
    "excite_reduce": ("se_reduce",),
    "excite_expand": ("se_expand",),
}
PYTORCH_PARTS = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
    "excite_reduce": ("_se_reduce",),
    "excite_expand": ("_se_expand",),
}


@layout("efficientnet", "keras", scaling=TORCH, variants=FIRST)
@layout("efficientnet", "keras", scaling=Scaling(128.0, 128.0), variants=SECOND)
def keras(layer, row):
    found = block_part(layer, plan(row))
    if found is None:
        return KERAS.get(layer)
    stage, block, _, part, norm = found
    parts = KERAS_PARTS | {"depthwise": ("dwconv2" if row.fused else "dwconv", "bn")}
    if row.stages[stage][0] == 1:
        parts |= {"fused": parts["project"]}
    return f"block{stage + 1}{chr(ord('a') + block)}_{parts[part][norm]}"


@layout("efficientnet", "torchvision", style={"padding": "symmetric", "epsilon": 1e-5}, variants=FIRST[:5])
@layout("efficientnet", "torchvision", style={"padding": "symmetric"}, variants=(*FIRST[5:], *SECOND[:2]))
@layout("efficientnet", "torchvision", style={"padding": "symmetric"}, scaling=UNIT, variants=SECOND[2:])
def torchvision(layer, row):
    found = block_part(layer, plan(row))
    if found is None:
        last = f"features.{len(row.stages) + 1}"
        return {**TORCHVISION, "final": f"{last}.0", "final_norm": f"{last}.1"}.get(layer)
    stage, block, _, part, norm = found
    if stage < row.fused:
        there = ["fused", "project"]
    else:
        there = [*(["expand"] if row.stages[stage][0] > 1 else []), "depthwise", "excite", "project"]
    module = f"features.{stage + 1}.{block}.block.{there.index(part.split('_')[0])}"
    if part.startswith("excite"):
        return f"{module}.{'fc1' if part == 'excite_reduce' else 'fc2'}"
    return f"{module}.{int(norm)}"


# timm's tf_efficientnet_*: the authors' weights, and so their padding. Its own efficientnet_b0 to b4 have the same
# names and need style={"padding": "symmetric", "epsilon": 1e-5}. The others want -1 … 1.
@layout("efficientnet", "timm", variants=FIRST)
@layout("efficientnet", "timm", scaling=UNIT, variants=(*LITE, *SECOND))
def timm(layer, row):
    found = block_part(layer, plan(row))
    if found is None:
        return TIMM.get(layer)
    stage, block, _, part, norm = found
    expands, fused = row.stages[stage][0] > 1, stage < row.fused
    kind = ("fused" if expands else "plain") if fused else ("inverted" if expands else "separable")
    return timm_block(stage, block, part, norm, kind)


# Its Lite nets are shown with ImageNet's mean and deviation, but were trained on (x - 127) / 128.
@layout("efficientnet", "efficientnet_pytorch", variants=FIRST)
@layout("efficientnet", "efficientnet_pytorch", scaling=Scaling(127.0, 128.0), variants=LITE)
def pytorch(layer, row):
    found = block_part(layer, plan(row))
    if found is None:
        return PYTORCH.get(layer)
    _, _, number, part, norm = found
    return f"_blocks.{number}.{PYTORCH_PARTS[part][norm]}" if part in PYTORCH_PARTS else None
