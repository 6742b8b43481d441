"""One pass over the picture: each cell of three maps says what is there and how far its edges are.

Redmon et al. 2016, You only look once; Ge et al. 2021, YOLOX (anchor-free, decoupled); Li et al. 2020, Generalized
focal loss (distances as distributions); Zhang et al. 2021, VarifocalNet; Feng et al. 2021, TOOD (task-aligned
matching); Xu et al. 2022, PP-YOLOE (these together, and how their losses are weighed).
"""

import math
from dataclasses import dataclass

import keras
from keras import ops
from keras.config import floatx

from kcnn.boxes import boxes_at, ciou, distances_from, match_by_task
from kcnn.heads.box_head import BoxHead, only_pictures, prediction, side_by_side
from kcnn.heads.necks import pan
from kcnn.heads.options import whole
from kcnn.heads.own_style import head_style
from kcnn.heads.registry import HEADS
from kcnn.layers import conv_norm_act

CLASS, OVERLAP, DISTANCE = 1.0, 2.5, 0.5  # weights of the losses
DULL, FOCUS = 0.75, 2.0  # varifocal: what is no object's counts by its score ^ FOCUS
PRIOR = 0.01  # the score of every class before anything is learned
TILT = 1 / 3  # by which each bin's logit is below the one before: first boxes are 5 cells wide, not all bins


@HEADS.register("yolo")
@dataclass(frozen=True)
class YOLO(BoxHead):
    """A detector in one pass, for pictures of any size.

    filters: of the neck and of the branches for classes and for edges.
    bins: of the distribution of each distance, which reaches to bins - 1 cells of its map.
    matched: places that learn of one object.
    """

    suppression: float = 0.65
    filters: int = 64
    bins: int = 16
    matched: int = 10

    def __post_init__(self):
        super().__post_init__()
        for name, least in (("filters", 1), ("bins", 2), ("matched", 1)):
            whole(name, getattr(self, name), least)

    def build(self, levels, variant):
        """{"p3", "p4", "p5": (B, h, w, 4 * bins + K)} float32: logits of the distances' bins, then of the classes."""
        only_pictures(levels, "yolo")
        style, found = head_style(variant), {}
        for name, x in pan(levels, self.levels, self.filters, style).items():
            edges = self._branch(x, 4 * self.bins, 0.0, style, f"{name}_edges")
            classes = self._branch(x, self.num_classes, -math.log(1 / PRIOR - 1), style, f"{name}_classes")
            found[name] = keras.layers.Concatenate(dtype=floatx(), name=f"{name}_out")([edges, classes])
        return found

    def _branch(self, x, filters, start, style, name):
        for part in ("first", "second"):
            x = conv_norm_act(x, self.filters, 3, style=style, name=f"{name}_{part}")
        return prediction(filters, start, name)(x)

    def scored(self, outputs):
        """(boxes (B, A, 4) in pixels, scores (B, A, K))."""
        bins, logits, places = self._parts(outputs)
        return self._boxes(bins, places), ops.sigmoid(logits)

    def _parts(self, outputs):
        """(logits of the bins (B, A, 4, bins), logits of the classes (B, A, K), `Places`)."""
        places = side_by_side(outputs)
        values, split = places.outputs, 4 * self.bins
        bins = ops.reshape(values[..., :split], (-1, ops.shape(values)[1], 4, self.bins))
        return bins - TILT * ops.arange(self.bins, dtype=bins.dtype), values[..., split:], places

    def _boxes(self, bins, places):
        cells = ops.sum(ops.softmax(bins, -1) * ops.arange(self.bins, dtype=floatx()), -1)
        return boxes_at(places.points, cells * places.strides[:, None])

    def loss(self, targets, outputs):
        """Per sample (sum (B,), weight (B,)): the weight is the sum of its places' target scores."""
        bins, logits, places = self._parts(outputs)
        boxes = self._boxes(bins, places)
        match = match_by_task(
            ops.sigmoid(logits),
            boxes,
            places.points,
            targets["boxes"],
            targets["classes"],
            self.matched,
            narrowest=places.strides[0],
        )
        quality = ops.stop_gradient(match.quality)
        kind = ops.take_along_axis(targets["classes"], match.object, 1)
        wanted = ops.one_hot(ops.where(match.positive, kind, -1), self.num_classes) * quality[..., None]
        learned = ops.where(wanted > 0, wanted, DULL * ops.sigmoid(ops.stop_gradient(logits)) ** FOCUS)
        own = ops.take_along_axis(targets["boxes"], match.object[..., None], 1)
        classes = ops.sum(learned * ops.binary_crossentropy(wanted, logits, from_logits=True), (1, 2))
        overlap = ops.sum(quality * (1 - ciou(boxes, own)), -1)
        distance = ops.sum(quality * self._distance_loss(bins, distances_from(places.points, own), places), -1)
        weight = targets["weight"]
        total = CLASS * classes + OVERLAP * overlap + DISTANCE * distance
        return total * weight, ops.sum(quality, -1) * weight

    def _distance_loss(self, bins, distances, places):
        """(B, A): cross-entropy of the two bins beside each true distance, by how near they are; the mean of four."""
        cells = ops.clip(distances / places.strides[:, None], 0, self.bins - 1 - 1e-3)
        low = ops.floor(cells)
        share = cells - low
        low = ops.cast(low, "int32")
        logs = ops.log_softmax(bins, -1)
        near, far = (ops.take_along_axis(logs, place[..., None], -1)[..., 0] for place in (low, low + 1))
        return -ops.mean((1 - share) * near + share * far, -1)
