"""Holes instead of strides: networks that keep their maps' size from some stride on, with the same weights.

Chen et al. 2017, Rethinking atrous convolution for semantic image segmentation.
"""

from typing import NamedTuple

from kcnn.errors import UserError


class Step(NamedTuple):
    """How one block walks over its map.

    strides: of its strided convolution. dilation: of that convolution. behind: of those behind it in the block.
    level: the number of the level that it computes.
    """

    strides: int
    dilation: int
    behind: int
    level: int


def steps(strides, level, row):
    """The `Step` of every block, whose strides are 1 or 2, behind a stem that ends at `level`.

    Where a stride would go beyond the row's output stride it is 1, and all kernels behind it see twice as far: at every
    second place stands what the strided network computes.
    """
    wrong = [stride for stride in strides if stride not in (1, 2)]
    if wrong:
        raise UserError(f"strides of {row.__class__.__name__} include {wrong[0]!r}: each must be 1 or 2, as levels are")
    found, behind = [], 1
    for stride in strides:
        dilation = behind
        if stride == 2 and row.output_stride and 2 << level > row.output_stride:
            stride, behind = 1, 2 * dilation
        level += stride - 1
        found.append(Step(stride, dilation, behind, level))
    return found


def first_strides(depths, strides):
    """The stride of every block of stages of so many blocks, of which the first one has that of the stage."""
    each = ([stride] + [1] * (depth - 1) for stride, depth in zip(strides, depths, strict=True))
    return [stride for stage in each for stride in stage]
