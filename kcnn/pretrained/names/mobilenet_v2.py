"""MobileNetV2 in the files of torchvision, timm and keras.applications."""

from kcnn.architectures.places import places
from kcnn.pretrained.layouts import UNIT, layout
from kcnn.pretrained.names.mobile import block_part, timm_block

KERAS = {"stem": "Conv1", "stem_norm": "bn_Conv1", "final": "Conv_1", "final_norm": "Conv_1_bn"}
KERAS |= {"logits": "predictions"}
TORCHVISION = {"stem": "features.0.0", "stem_norm": "features.0.1", "logits": "classifier.1"}
TIMM = {"stem": "conv_stem", "stem_norm": "bn1", "final": "conv_head", "final_norm": "bn2", "logits": "classifier"}
SYMMETRIC = {"padding": "symmetric", "epsilon": 1e-5}


@layout("mobilenet_v2", "torchvision", style=SYMMETRIC)
def torchvision(layer, row):
    found = _block(layer, row)
    if found is None:
        last = f"features.{sum(blocks for _, _, blocks, _ in row.stages) + 1}"
        return {**TORCHVISION, "final": f"{last}.0", "final_norm": f"{last}.1"}.get(layer)
    stage, _, number, part, norm = found
    there = [*(["expand"] if row.stages[stage][0] > 1 else []), "depthwise"]
    module = f"features.{number + 1}.conv"
    return f"{module}.{len(there) + norm}" if part == "project" else f"{module}.{there.index(part)}.{int(norm)}"


@layout("mobilenet_v2", "keras", scaling=UNIT)
def keras(layer, row):
    found = _block(layer, row)
    if found is None:
        return KERAS.get(layer)
    _, _, number, part, norm = found
    return f"{f'block_{number}' if number else 'expanded_conv'}_{part}{'_BN' if norm else ''}"


# The published files are older than the last layer's name.
@layout("mobilenet_v2", "keras", scaling=UNIT, variants=("mobilenet_v2",))
def published(layer, row):
    return "Logits" if layer == "logits" else keras(layer, row)


@layout("mobilenet_v2", "timm", style=SYMMETRIC)
def timm(layer, row):
    found = _block(layer, row)
    if found is None:
        return TIMM.get(layer)
    stage, block, _, part, norm = found
    return timm_block(stage, block, part, norm, "inverted" if row.stages[stage][0] > 1 else "separable")


def _block(layer, row):
    _, _, depths, strides = zip(*row.stages, strict=True)
    return block_part(layer, places(depths, strides, row))
