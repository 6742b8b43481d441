"""MobileNet in the files of keras.applications."""

from kcnn.architectures.places import places
from kcnn.pretrained.layouts import UNIT, layout
from kcnn.pretrained.names.mobile import block_part

ENDS = {"stem": "conv1", "stem_norm": "conv1_bn", "logits": "conv_preds"}
PARTS = {"depthwise": "dw", "pointwise": "pw"}


@layout("mobilenet", "keras", scaling=UNIT)
def keras(layer, row):
    found = block_part(layer, places(row.depths, row.strides, row))
    if found is None:
        return ENDS.get(layer)
    *_, number, part, norm = found
    return f"conv_{PARTS[part]}_{number + 1}{'_bn' if norm else ''}"
