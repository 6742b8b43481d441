"""MobileNet in the files of keras.applications and timm."""

from kcnn.architectures.places import places
from kcnn.pretrained.layouts import UNIT, layout
from kcnn.pretrained.names.mobile import block_part, timm_block

KERAS = {"stem": "conv1", "stem_norm": "conv1_bn", "logits": "conv_preds"}
KERAS_PARTS = {"depthwise": "dw", "pointwise": "pw"}
TIMM = {"stem": "conv_stem", "stem_norm": "bn1", "logits": "classifier"}


@layout("mobilenet", "keras", scaling=UNIT)
def keras(layer, row):
    found = _block(layer, row)
    if found is None:
        return KERAS.get(layer)
    *_, number, part, norm = found
    return f"conv_{KERAS_PARTS[part]}_{number + 1}{'_bn' if norm else ''}"


@layout("mobilenet", "timm", scaling=UNIT, style={"padding": "symmetric", "epsilon": 1e-5})
def timm(layer, row):
    found = _block(layer, row)
    if found is None:
        return TIMM.get(layer)
    stage, block, _, part, norm = found
    return timm_block(stage, block, part, norm, "separable")


def _block(layer, row):
    return block_part(layer, places(row.depths, row.strides, row))
