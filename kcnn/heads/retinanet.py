"""Lin et al. 2017, Focal loss for dense object detection: anchors everywhere, easy ones hardly count."""

import math
from dataclasses import dataclass

from keras import ops
from keras.config import floatx

from kcnn.boxes import decoded, encoded
from kcnn.heads.anchor_head import RATIOS, AnchorHead, by_size, shared_prediction, shared_tower, smooth_l1
from kcnn.heads.box_head import only_pictures
from kcnn.heads.necks import fpn
from kcnn.heads.options import whole
from kcnn.heads.own_style import head_style
from kcnn.heads.registry import HEADS

SIZES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))  # sides of anchors, in those of the smallest
POSITIVE, NEGATIVE = 0.5, 0.4  # IoU from which an anchor is an object's, and below which it is background
ALPHA, GAMMA, BETA = 0.25, 2.0, 0.1
PRIOR = 0.01  # the score of every class before anything is learned


@HEADS.register("retinanet")
@dataclass(frozen=True)
class RetinaNet(AnchorHead):
    """RetinaNet on levels of stride 8 to 128, for pictures of any size.

    It differs from the paper in that its towers have the family's norm.

    filters, depth: of the pyramid, and how many convolutions each of the two towers has, which all levels share.
    """

    suppression: float = 0.5
    filters: int = 128
    depth: int = 2

    def __post_init__(self):
        super().__post_init__()
        whole("filters", self.filters)
        whole("depth", self.depth, 0)

    def shapes(self, number):
        return by_size(1 << number, [self.side * size for size in SIZES])

    def build(self, levels, variant):
        """{"p3_edges": (B, h, w, 9 * 4), "p3_classes": (B, h, w, 9 * K) logits, … "p7_classes"} float32."""
        only_pictures(levels, "retinanet")
        style, count = head_style(variant), len(SIZES) * len(RATIOS)
        maps = fpn(levels, self.levels, self.filters, style, deeper=(6, 7))
        edges = shared_tower(maps, self.filters, self.depth, style, "edges")
        classes = shared_tower(maps, self.filters, self.depth, style, "classes")
        edges = shared_prediction(edges, 4 * count, 0.0, "edges")
        classes = shared_prediction(classes, self.num_classes * count, -math.log(1 / PRIOR - 1), "classes")
        return {f"{level}_edges": x for level, x in edges.items()} | {
            f"{level}_classes": x for level, x in classes.items()
        }

    def scored(self, outputs):
        """(boxes (B, A, 4) in pixels, scores (B, A, K))."""
        deltas, logits, anchors = self.read(outputs, self.num_classes)
        return decoded(deltas, anchors), ops.sigmoid(logits)

    def loss(self, targets, outputs):
        """Per sample (sum (B,), weight (B,)): the weight is the number of its positive anchors."""
        deltas, logits, anchors = self.read(outputs, self.num_classes)
        match, own, kind = self.matched(anchors, targets, POSITIVE, NEGATIVE)
        wanted = ops.one_hot(ops.where(match.positive, kind, -1), self.num_classes)
        focal = ops.where(match.ignored[..., None], 0.0, focal_loss(wanted, logits))
        edges = ops.where(match.positive, smooth_l1(deltas - encoded(own, anchors), BETA), 0.0)
        weight = targets["weight"]
        total = ops.sum(focal, (1, 2)) + ops.sum(edges, 1)
        return total * weight, ops.sum(ops.cast(match.positive, floatx()), 1) * weight


def focal_loss(wanted, logits, alpha=ALPHA, gamma=GAMMA):
    """(...): cross-entropy of each logit, times (1 - chance of what is right) ^ gamma, and alpha for what is there."""
    entropy = ops.binary_crossentropy(wanted, logits, from_logits=True)
    chance = ops.sigmoid(logits)
    miss = wanted * (1 - chance) + (1 - wanted) * chance
    return (wanted * alpha + (1 - wanted) * (1 - alpha)) * miss**gamma * entropy
