"""Where on a map boxes are looked for: the centres of its cells, and anchors of several shapes on each.

Ren et al. 2015, Faster R-CNN; Liu et al. 2016, SSD (default boxes).
"""

from dataclasses import dataclass

import numpy as np
from keras import ops
from keras.config import floatx

from kcnn.errors import UserError


@dataclass(frozen=True)
class Shapes:
    """Widths and heights in pixels of the anchors of one level, `sizes` (A, 2), and the level's `stride`."""

    stride: int
    sizes: tuple[tuple[float, float], ...]

    def __post_init__(self):
        if not self.sizes or min(min(size) for size in self.sizes) <= 0 or self.stride < 1:
            raise UserError(f"anchors of stride {self.stride} and sizes {self.sizes}: all must be above 0")

    @classmethod
    def by_ratio(cls, stride, sides, ratios):
        """An anchor for each of `sides`, the root of its area in pixels, and each of `ratios`, height over width."""
        sizes = ((side / ratio**0.5, side * ratio**0.5) for side in sides for ratio in ratios)
        return cls(stride, tuple((float(width), float(height)) for width, height in sizes))


def cell_centres(rows, columns, stride):
    """Centres float32 (rows * columns, 2) x, y in pixels of a map's cells, row by row; the numbers may be tensors."""
    x = (ops.cast(ops.arange(columns), floatx()) + 0.5) * stride
    y = (ops.cast(ops.arange(rows), floatx()) + 0.5) * stride
    x, y = ops.meshgrid(x, y)
    return ops.stack([ops.reshape(x, (-1,)), ops.reshape(y, (-1,))], -1)


def anchor_boxes(rows, columns, shapes):
    """Boxes float32 (rows * columns * A, 4) of the anchors `shapes` on each cell, row by row, cell by cell."""
    centres = cell_centres(rows, columns, shapes.stride)[:, None]
    half = np.asarray(shapes.sizes, floatx())[None] / 2
    return ops.reshape(ops.concatenate([centres - half, centres + half], -1), (-1, 4))
