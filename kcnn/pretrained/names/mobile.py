"""What the layouts of mobile networks share: reading our layers' names, and the names that timm gives such nets."""

import re

from kcnn.architectures.places import order

BLOCK = re.compile(r"(c\d+_\d+)_(\w+?)(_norm)?")


def block_part(layer, places):
    """(stage, block in its stage, block in the net, part, whether it is its norm) of a layer; None outside of blocks.

    All count from 0. "c2_1_expand_norm" may be (1, 0, 1, "expand", True).
    """
    match = BLOCK.fullmatch(layer)
    return (*order(places)[match[1]], match[2], bool(match[3])) if match else None


# The parts of a block in the order in which timm numbers their norms.
TIMM = {
    "separable": {"depthwise": ("conv_dw", "bn1"), **dict.fromkeys(("pointwise", "project"), ("conv_pw", "bn2"))},
    "inverted": {"expand": ("conv_pw", "bn1"), "depthwise": ("conv_dw", "bn2"), "project": ("conv_pwl", "bn3")},
    "fused": {"fused": ("conv_exp", "bn1"), "project": ("conv_pwl", "bn2")},
    "plain": {"fused": ("conv", "bn1")},
}
EXCITE = {"excite_reduce": "se.conv_reduce", "excite_expand": "se.conv_expand"}


def timm_block(stage, block, part, norm, kind):
    """timm's name of a part of a block of `kind`, a key of `TIMM`."""
    return f"blocks.{stage}.{block}.{EXCITE[part] if part in EXCITE else TIMM[kind][part][norm]}"
