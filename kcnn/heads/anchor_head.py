"""What heads with anchors share: their boxes on every level, and outputs read anchor by anchor."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import keras
from keras import ops
from keras.config import floatx

from kcnn.boxes import Shapes, anchor_boxes, match_by_overlap
from kcnn.heads.box_head import BoxHead, prediction
from kcnn.heads.options import in_range
from kcnn.layers import activation, normalize

RATIOS = (0.5, 1.0, 2.0)  # height over width


@dataclass(frozen=True)
class AnchorHead(BoxHead, ABC):
    """A head whose outputs are {"p3_edges": (B, h, w, 4 n), "p3_classes": (B, h, w, C n), ...} for n anchors a cell.

    side: of a level's smallest square anchor, in strides; objects much smaller than 8 times that are hard to find.
    """

    side: float = 4.0

    def __post_init__(self):
        super().__post_init__()
        in_range("side", self.side, 0.5, 64)

    @abstractmethod
    def shapes(self, number):
        """The anchors' `Shapes` on level `number`."""

    def read(self, outputs, logits):
        """(deltas (B, A, 4), logits (B, A, `logits`), anchors (A, 4)) of all levels, one after another."""
        deltas, classes, anchors = [], [], []
        for name, x in outputs.items():
            level, _, part = name.partition("_")
            if part != "edges":
                continue
            rows, columns = ops.shape(x)[1:3]
            anchors.append(anchor_boxes(rows, columns, self.shapes(int(level[1:]))))
            count = rows * columns * (x.shape[-1] // 4)
            deltas.append(ops.reshape(ops.cast(x, floatx()), (-1, count, 4)))
            classes.append(ops.reshape(ops.cast(outputs[f"{level}_classes"], floatx()), (-1, count, logits)))
        return ops.concatenate(deltas, 1), ops.concatenate(classes, 1), ops.concatenate(anchors, 0)

    def matched(self, anchors, targets, positive, negative):
        """(`Match`, boxes (B, A, 4) and classes (B, A) of each anchor's object) for anchors (A, 4) or (B, A, 4)."""
        match = match_by_overlap(anchors, targets["boxes"], targets["classes"], positive, negative)
        own = ops.take_along_axis(targets["boxes"], match.object[..., None], 1)
        return match, own, ops.take_along_axis(targets["classes"], match.object, 1)


def by_size(stride, sizes, ratios=RATIOS):
    """`Shapes` of a level of `stride`: anchors of `sizes` times the stride a side, and of all `ratios`."""
    return Shapes.by_ratio(stride, [size * stride for size in sizes], ratios)


def smooth_l1(difference, beta):
    """(...): Huber's loss of `difference` (..., 4), quadratic below `beta`, summed (Girshick 2015, Fast R-CNN)."""
    size = ops.abs(difference)
    return ops.sum(ops.where(size < beta, 0.5 * size**2 / beta, size - 0.5 * beta), -1)


def shared_tower(maps, filters, depth, style, name):
    """`maps` {"p3": (B, h, w, C), ...} after `depth` 3x3 convolutions that levels share; norms are their own."""
    for part in range(1, depth + 1):
        convolution = keras.layers.Conv2D(
            filters,
            3,
            padding="same",
            use_bias=style.bias,
            kernel_initializer=style.initializer(),
            name=f"{name}_{part}",
        )
        found = {}
        for level, x in maps.items():
            x = normalize(convolution(x), style, f"{name}_{part}_{level}_norm")
            found[level] = activation(x, style, f"{name}_{part}_{level}_act")
        maps = found
    return maps


def shared_prediction(maps, filters, start, name):
    """{"p3": (B, h, w, filters) float32, ...}: a 1x1 convolution, of tiny weights and bias `start`, for all levels."""
    layer = prediction(filters, start, name)
    return {level: layer(x) for level, x in maps.items()}
