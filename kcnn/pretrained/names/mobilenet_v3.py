"""MobileNetV3 in the files of torchvision, keras.applications and timm."""

from kcnn.architectures.places import places
from kcnn.pretrained.layouts import UNIT, layout
from kcnn.pretrained.names.mobile import block_part, timm_block

TORCHVISION = {"stem": "features.0.0", "stem_norm": "features.0.1", "hidden": "classifier.0", "logits": "classifier.3"}
KERAS = {"stem": "conv", "stem_norm": "conv_bn", "final": "conv_1", "final_norm": "conv_1_bn"}
KERAS |= {"hidden": "conv_2", "logits": "logits"}
PUBLISHED = {"stem": "Conv", "stem_norm": "Conv/BatchNorm", "final": "Conv_1", "final_norm": "Conv_1/BatchNorm"}
PUBLISHED |= {"hidden": "Conv_2", "logits": "Logits"}
TIMM = {"stem": "conv_stem", "stem_norm": "bn1", "hidden": "conv_head", "logits": "classifier"}
EXCITE = {"excite_reduce": "squeeze_excite_conv", "excite_expand": "squeeze_excite_conv_1"}
OLD_EXCITE = {"excite_reduce": "squeeze_excite/Conv", "excite_expand": "squeeze_excite/Conv_1"}


@layout("mobilenet_v3", "torchvision")
def torchvision(layer, row):
    found = _block(layer, row)
    if found is None:
        last = f"features.{len(row.blocks) + 1}"
        return {**TORCHVISION, "final": f"{last}.0", "final_norm": f"{last}.1"}.get(layer)
    number, part, norm = found
    there = [
        *(["expand"] if _expands(number, row) else []),
        "depthwise",
        *(["excite"] if row.blocks[number][3] else []),
    ]
    module = f"features.{number + 1}.block.{[*there, 'project'].index(part.split('_')[0])}"
    if part.startswith("excite"):
        return f"{module}.{'fc1' if part == 'excite_reduce' else 'fc2'}"
    return f"{module}.{int(norm)}"


@layout("mobilenet_v3", "keras", scaling=UNIT, style={"padding": "same"})
def keras(layer, row):
    found = _block(layer, row)
    if found is None:
        return KERAS.get(layer)
    number, part, norm = found
    return f"expanded_conv_{f'{number}_' if number else ''}{EXCITE.get(part, part)}{'_bn' if norm else ''}"


# The published files are older than the names of Keras 3.
@layout(
    *("mobilenet_v3", "keras"),
    scaling=UNIT,
    style={"padding": "same"},
    variants=("mobilenet_v3_small", "mobilenet_v3_large"),
)
def published(layer, row):
    found = _block(layer, row)
    if found is None:
        return PUBLISHED.get(layer)
    number, part, norm = found
    prefix = f"expanded_conv_{number}" if number else "expanded_conv"
    return f"{prefix}/{OLD_EXCITE.get(part, part)}{'/BatchNorm' if norm else ''}"


@layout("mobilenet_v3", "timm", style={"epsilon": 1e-5})
def timm(layer, row):
    filters = [block[2] for block in row.blocks]
    stages = [0]  # timm begins a stage where the channels change
    for before, after in zip(filters, filters[1:], strict=False):
        stages.append(stages[-1] + (before != after))
    found = _block(layer, row)
    if found is None:
        last = f"blocks.{stages[-1] + 1}.0"
        return {**TIMM, "final": f"{last}.conv", "final_norm": f"{last}.bn1"}.get(layer)
    number, part, norm = found
    kind = "inverted" if number else "separable"
    return timm_block(stages[number], number - stages.index(stages[number]), part, norm, kind)


def _block(layer, row):
    """(block from 0, part, whether norm), or None."""
    found = block_part(layer, places([1] * len(row.blocks), [block[-1] for block in row.blocks], row))
    return found and found[2:]


def _expands(number, row):
    before = row.blocks[number - 1][2] if number else row.stem_filters
    return row.blocks[number][1] != before
