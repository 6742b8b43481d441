"""Ren et al. 2015, Faster R-CNN: one network proposes regions, another one, on the same maps, says what each holds.

Its ancestors: R-CNN (Girshick et al. 2014) ran a whole network on each region of a search outside the network; Fast
R-CNN (Girshick 2015) read all regions from one map. On a pyramid, as Lin et al. 2017.
"""

from dataclasses import asdict, dataclass

import keras
from keras import ops
from keras.config import floatx

from kcnn.boxes import align, candidates, clipped, decoded, encoded, match_by_overlap, survivors
from kcnn.errors import UserError
from kcnn.heads.anchor_head import RATIOS, AnchorHead, by_size, shared_prediction, shared_tower, smooth_l1
from kcnn.heads.box_head import only_pictures, predicted_dense
from kcnn.heads.necks import fpn
from kcnn.heads.options import whole
from kcnn.heads.own_style import head_style
from kcnn.heads.registry import HEADS
from kcnn.layers import dense_act

OBJECT, BACKGROUND, DRAWN = 0.7, 0.3, (256, 0.5)  # of anchors: IoUs, and how many are drawn, at most half of objects
REGION, REGIONS = 0.5, (128, 0.25)  # of regions likewise
LOOKED_AT, OVERLAP = 512, 0.7  # best anchors that proposals come from, and the IoU above which they suppress each other
VARIANCES = (0.1, 0.1, 0.2, 0.2)  # of the second stage
SIDE = 7  # of the maps that are read from each region


@HEADS.register("faster_rcnn")
@dataclass(frozen=True)
class FasterRCNN(AnchorHead):
    """Faster R-CNN on levels of stride 8 to 64, for pictures of one size.

    Both losses count as means over the places that the paper draws at random; here each place counts by the chance that
    it would be drawn: the same loss in the mean, with less noise, and none that a resumed training had to repeat. True
    boxes are not among the regions of training.

    filters: of the pyramid. hidden: units of the two layers that look into a region. proposals: regions a picture.
    """

    suppression: float = 0.5
    filters: int = 128
    hidden: int = 256
    proposals: int = 100

    def __post_init__(self):
        super().__post_init__()
        for name in ("filters", "hidden", "proposals"):
            whole(name, getattr(self, name))

    def shapes(self, number):
        return by_size(1 << number, (self.side,))

    def build(self, levels, variant):
        """The proposals' "p3_edges", "p3_classes" …, "regions" (B, R, 4), and of each "logits", "deltas"; float32.

        logits: (B, R, K + 1), class 0 the background; deltas: (B, R, 4 K) from the region.
        """
        return self.stages(levels, variant)[0]

    def stages(self, levels, variant):
        """(what `build` gives, the maps {"p3": (B, h, w, filters), …} that regions are read from)."""
        only_pictures(levels, "faster_rcnn")
        if None in levels["image"].shape[1:3]:
            raise UserError("faster_rcnn needs pictures of one size: state the sides of input_shape")
        style = head_style(variant)
        maps = fpn(levels, self.levels, self.filters, style, deeper=(6,))
        found = self._proposed(maps, style)
        regions = Propose(self, levels["image"].shape[1:3], dtype=floatx(), name="regions")(found)
        own = {name: x for name, x in maps.items() if name != "p6"}
        x = Read([1 << int(name[1:]) for name in own], SIDE, name="read")([regions, *own.values()])
        x = keras.layers.Reshape((self.proposals, SIDE * SIDE * self.filters), name="read_flat")(x)
        for part in ("first", "second"):
            x = dense_act(x, self.hidden, style, f"region_{part}")
        found |= {"regions": regions, "logits": predicted_dense(x, self.num_classes + 1, "logits")}
        return found | {"deltas": predicted_dense(x, 4 * self.num_classes, "deltas")}, own

    def _proposed(self, maps, style):
        shared = shared_tower(maps, self.filters, 1, style, "proposal")
        edges = shared_prediction(shared, 4 * len(RATIOS), 0.0, "proposal_edges")
        classes = shared_prediction(shared, len(RATIOS), 0.0, "proposal_classes")
        return {f"{k}_edges": x for k, x in edges.items()} | {f"{k}_classes": x for k, x in classes.items()}

    def proposed(self, outputs, size):
        """Regions (B, R, 4) within pictures of `size` (height, width), the surest first; boxes without area fill up."""
        deltas, logits, anchors = self.read(outputs, 1)
        boxes = clipped(decoded(deltas, anchors), *size)
        boxes, scores, classes, _ = candidates(boxes, ops.sigmoid(logits), max(LOOKED_AT, self.proposals))
        large = ops.min(boxes[..., 2:] - boxes[..., :2], -1) >= 1.0
        stay = survivors(boxes, ops.where(large, classes, -1), OVERLAP)
        _, order = ops.top_k(ops.where(stay, scores, -1.0), min(self.proposals, scores.shape[1]))
        stay = ops.take_along_axis(stay, order, 1)
        regions = ops.where(stay[..., None], ops.take_along_axis(boxes, order[..., None], 1), 0.0)
        short = self.proposals - regions.shape[1]
        return ops.pad(regions, [[0, 0], [0, short], [0, 0]]) if short else regions

    def scored(self, outputs):
        """(boxes (B, R K, 4), scores (B, R K, K)): a box for each class of a region, with that class's score alone."""
        regions, deltas = outputs["regions"], self._deltas(outputs)
        boxes = decoded(deltas, regions[:, :, None], VARIANCES)
        there = ops.max(regions[..., 2:], -1) > 0
        scores = ops.where(there[..., None], ops.softmax(outputs["logits"], -1)[..., 1:], 0.0)
        each = scores[..., None] * ops.one_hot(ops.arange(self.num_classes), self.num_classes)
        count = self.proposals * self.num_classes
        return ops.reshape(boxes, (-1, count, 4)), ops.reshape(each, (-1, count, self.num_classes))

    def _deltas(self, outputs):
        return ops.reshape(outputs["deltas"], (-1, self.proposals, self.num_classes, 4))

    def loss(self, targets, outputs):
        """Per sample (sum (B,), weight (B,)): the sum of four means, and the weight of the sample."""
        total = self._proposal_loss(targets, outputs) + self.region_loss(targets, outputs)
        return total * targets["weight"], targets["weight"]

    def _proposal_loss(self, targets, outputs):
        deltas, logits, anchors = self.read(outputs, 1)
        match, own, _ = self.matched(anchors, targets, OBJECT, BACKGROUND)
        share, drawn = chances(match.positive, ~match.positive & ~match.ignored, *DRAWN)
        wanted = ops.cast(match.positive, floatx())[..., None]
        entropy = ops.binary_crossentropy(wanted, logits, from_logits=True)[..., 0]
        edges = smooth_l1(deltas - encoded(own, anchors), 1 / 9) * wanted[..., 0]
        return ops.sum((entropy + edges) * share, 1) / drawn

    def region_loss(self, targets, outputs):
        """(B,): the loss of the second stage alone, which is all of Fast R-CNN's."""
        regions = outputs["regions"]
        match = match_by_overlap(regions, targets["boxes"], targets["classes"], REGION, REGION, rescue=False)
        own = ops.take_along_axis(targets["boxes"], match.object[..., None], 1)
        kind = ops.maximum(ops.take_along_axis(targets["classes"], match.object, 1), 0)
        there = ops.max(regions[..., 2:], -1) > 0
        share, drawn = chances(match.positive, there & ~match.positive, *REGIONS)
        right = ops.where(match.positive, kind + 1, 0)
        entropy = ops.sparse_categorical_crossentropy(right, outputs["logits"], from_logits=True)
        deltas = ops.take_along_axis(self._deltas(outputs), kind[..., None, None], 2)[:, :, 0]
        safe = ops.where(there[..., None], regions, ops.convert_to_tensor([0.0, 0.0, 1.0, 1.0], floatx()))
        edges = smooth_l1(deltas - encoded(own, safe, VARIANCES), 1.0) * ops.cast(match.positive, floatx())
        return ops.sum((entropy + edges) * share, 1) / drawn


def chances(positive, negative, count, most):
    """(share (B, A), drawn (B,)): the chance of each place to be among `count` drawn ones, and how many would be.

    Positive ones take a share `most` of them at most, negative ones the rest.
    """
    positive, negative = (ops.cast(part, floatx()) for part in (positive, negative))
    there, others = ops.sum(positive, 1, keepdims=True), ops.sum(negative, 1, keepdims=True)
    first = ops.minimum(there, count * most)
    second = ops.minimum(others, count - first)
    share = positive * first / ops.maximum(there, 1.0) + negative * second / ops.maximum(others, 1.0)
    return share, ops.maximum(first + second, 1.0)[:, 0]


def without_gradient(outputs):
    """A dict of tensors through which no gradient flows."""
    return {name: ops.stop_gradient(x) for name, x in outputs.items()}


class HeadLayer(keras.layers.Layer):
    """A layer of a graph that computes what `head`, a record of `HEADS`, does of its outputs; without a gradient."""

    def __init__(self, head, **kwargs):
        super().__init__(**kwargs)
        self.head = head

    def get_config(self):
        name = next(name for name, kind in HEADS.items() if kind is type(self.head))
        return {**super().get_config(), "head": {"name": name, **asdict(self.head)}}

    @classmethod
    def from_config(cls, config):
        head = dict(config["head"])
        return cls(**config | {"head": HEADS[head.pop("name")](**head)})


@keras.saving.register_keras_serializable(package="kcnn")
class Propose(HeadLayer):
    """The regions (B, R, 4) that the outputs of the first stage propose, in pictures of `size` (height, width)."""

    def __init__(self, head, size, **kwargs):
        super().__init__(head, **kwargs)
        self.size = tuple(size)

    def call(self, outputs):
        return self.head.proposed(without_gradient(outputs), self.size)

    def compute_output_shape(self, outputs_shape):
        return (next(iter(outputs_shape.values()))[0], self.head.proposals, 4)

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="kcnn")
class Read(keras.layers.Layer):
    """Maps (B, R, size, size, C) of what a pyramid holds inside regions (B, R, 4): see `kcnn.boxes.align`."""

    def __init__(self, strides, size, **kwargs):
        super().__init__(**kwargs)
        self.strides, self.size = tuple(strides), size

    def call(self, inputs):
        regions, *maps = inputs
        return align(maps, self.strides, ops.cast(regions, floatx()), self.size)

    def compute_output_shape(self, shapes):
        return (*shapes[0][:2], self.size, self.size, shapes[1][-1])

    def get_config(self):
        return {**super().get_config(), "strides": self.strides, "size": self.size}
