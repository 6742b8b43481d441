"""Liu et al. 2016, SSD, single shot multibox detector: default boxes on maps of many sizes, each for itself."""

from dataclasses import dataclass

from keras import ops
from keras.config import floatx

from kcnn.boxes import Shapes, decoded, encoded
from kcnn.heads.anchor_head import AnchorHead, smooth_l1
from kcnn.heads.box_head import only_pictures, prediction
from kcnn.heads.options import whole
from kcnn.heads.own_style import head_style
from kcnn.heads.registry import HEADS
from kcnn.layers import conv_norm_act

RATIOS = (0.5, 2.0)  # height over width of the oblong ones
MATCHED = 0.5  # IoU from which a default box is an object's
NEGATIVES = 3  # to each positive one, the hardest
VARIANCES = (0.1, 0.1, 0.2, 0.2)


@HEADS.register("ssd")
@dataclass(frozen=True)
class SSD(AnchorHead):
    """SSD on the family's levels of stride 8 to 32 and two more, for pictures of any size.

    The sides of its boxes are in strides instead of shares of the picture, so that it takes any size.

    filters: of the further levels.
    """

    suppression: float = 0.45
    filters: int = 128

    def __post_init__(self):
        super().__post_init__()
        whole("filters", self.filters)

    def shapes(self, number):
        stride = 1 << number
        side = self.side * stride
        larger = side * 2**0.5  # half-way to the next level's
        oblong = ((side / ratio**0.5, side * ratio**0.5) for ratio in RATIOS)
        return Shapes(stride, ((side, side), (larger, larger), *oblong))

    def build(self, levels, variant):
        """{"p3_edges": (B, h, w, 4 * 4), "p3_classes": (B, h, w, 4 * (K + 1)), …} float32; 0 is background."""
        only_pictures(levels, "ssd")
        style, found = head_style(variant), {}
        maps = {int(name[1:]): levels[name] for name in self.levels}
        x = maps[5]
        for number in (6, 7):
            x = conv_norm_act(x, self.filters // 2, 1, style=style, name=f"extra_{number}_narrow")
            x = maps[number] = conv_norm_act(x, self.filters, 3, strides=2, style=style, name=f"extra_{number}")
        for number, x in maps.items():
            count, name = len(self.shapes(number).sizes), f"p{number}"
            x = conv_norm_act(x, self.filters, 3, style=style, name=f"{name}_join")
            found[f"{name}_edges"] = prediction(4 * count, 0.0, f"{name}_edges")(x)
            found[f"{name}_classes"] = prediction((self.num_classes + 1) * count, 0.0, f"{name}_classes")(x)
        return found

    def scored(self, outputs):
        """(boxes (B, A, 4) in pixels, scores (B, A, K))."""
        deltas, logits, anchors = self.read(outputs, self.num_classes + 1)
        return decoded(deltas, anchors, VARIANCES), ops.softmax(logits, -1)[..., 1:]

    def loss(self, targets, outputs):
        """Per sample (sum (B,), weight (B,)): the weight is the number of its positive boxes."""
        deltas, logits, anchors = self.read(outputs, self.num_classes + 1)
        match, own, kind = self.matched(anchors, targets, MATCHED, MATCHED)
        right = ops.where(match.positive, kind + 1, 0)
        classes = ops.sparse_categorical_crossentropy(right, logits, from_logits=True)
        count = ops.sum(ops.cast(match.positive, floatx()), 1)
        counted = match.positive | hardest(
            ops.where(match.positive, -1.0, ops.stop_gradient(classes)), NEGATIVES * count
        )
        edges = ops.where(match.positive, smooth_l1(deltas - encoded(own, anchors, VARIANCES), 1.0), 0.0)
        total = ops.sum(ops.where(counted, classes, 0.0), 1) + ops.sum(edges, 1)
        return total * targets["weight"], count * targets["weight"]


def hardest(losses, count):
    """bool (B, A): the `count` (B,) largest of `losses` (B, A) that are above 0, and what equals the last of them."""
    order = -ops.sort(-losses, axis=1)
    place = ops.cast(ops.clip(count - 1, 0, losses.shape[1] - 1), "int32")
    last = ops.take_along_axis(order, place[:, None], 1)
    return (losses >= last) & (losses > 0) & (count > 0)[:, None]
