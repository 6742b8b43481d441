"""The style of the blocks that a head adds to a family's."""

from dataclasses import replace

from kcnn.layers import FROZEN


def head_style(variant):
    """The style of `variant` for a head's own blocks, which start by He's rule and drop no branches.

    Their norms are those of `head_norm`; else they learn statistics also where those of the family are frozen.
    """
    style = variant.row.style
    own = "batch" if style.norm == FROZEN else style.norm
    norm = own if style.head_norm == "auto" else style.head_norm
    return replace(style, norm=norm, kernel_std=0.0, drop_path=0.0)
