"""NASNet in the files of keras.applications."""

import re

from kcnn.pretrained.layouts import UNIT, layout, parsed

ENDS = {"stem": "stem_conv1", "stem_norm": "stem_bn1", "logits": "predictions"}
LAYER = re.compile(r"c(\d+)_(\d+)_(\w+?)(_norm)?")
SEPARABLE = re.compile(r"(\d)_(left|right)_(\d)(_depthwise)?")
BEFORE = {"before_even": "adjust_conv_1", "before_odd": "adjust_conv_2", "before": "adjust_conv_projection"}


@layout("nasnet", "keras", scaling=UNIT)
def keras(layer, row):
    if layer in ENDS:
        return ENDS[layer]
    stage, cell, part, norm = parsed(LAYER, layer)
    place = _place(int(stage), int(cell), row.cells)
    kind = "reduction" if cell == "1" else "normal"
    if part.startswith("before"):
        return f"adjust_bn_{place}" if norm else f"{BEFORE[part]}_{place}"
    if part == "input":
        return f"{kind}_{'bn' if norm else 'conv'}_1_{place}"
    pair, side, number, depthwise = parsed(SEPARABLE, part)
    if kind == "reduction" and pair == "5":
        pair = "4"  # as the reference calls it
    name = f"{kind}_{side}{pair}_{place}"
    if norm:
        return f"separable_conv_{number}_bn_{name}"
    return {"kernel": f"separable_conv_{number}_{name}/{'depth' if depthwise else 'point'}wise_kernel"}


def _place(stage, cell, cells):
    """The reference's name of a cell: two in the stem, then normal cells and reductions counted on."""
    if cell == 1:
        return {2: "stem_1", 3: "stem_2"}.get(stage, f"reduce_{(stage - 3) * cells}")
    return str((stage - 3) * cells + (stage > 3) + cell - 2)
