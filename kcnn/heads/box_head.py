"""What all heads for objects share: options, targets and answers. A head adds its architecture, matching and losses."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import keras
from keras import ops
from keras.config import floatx

from kcnn.boxes import candidates, cell_centres, survivors
from kcnn.errors import UserError
from kcnn.heads.options import in_range, whole
from kcnn.layers import rank_of

CANDIDATES = 600  # best pairs of place and class that suppression looks at, and never less than are answered


class Places(NamedTuple):
    """Raw outputs of all levels side by side.

    outputs: (B, A, ...) float32; strides: (A,) pixels of the picture a cell; points: (A, 2) centres x, y of the cells.
    """

    outputs: Any
    strides: Any
    points: Any


@dataclass(frozen=True)
class BoxHead:
    """Boxes of objects of `num_classes` classes, at most `most` of them a picture, each with a score from 0 to 1.

    training: what a recipe that leaves these fields as they are trains with, as first steps have large gradients.
    suppression: of two boxes of a class that overlap by an IoU above this, the one with the lower score is dropped.
    least: no answer has a score below this. What is shown to people has a higher threshold, see the run's report.
    """

    num_classes: int
    most: int = 100
    suppression: float = 0.6
    least: float = 0.001

    task: ClassVar[str] = "boxes"
    levels: ClassVar[tuple[str, ...]] = ("c3", "c4", "c5")
    main_metric: ClassVar[str] = "map"
    outlines: ClassVar[bool] = False
    training: ClassVar[dict[str, float]] = {"clip_norm": 10.0, "ema": 0.995, "warmup_epochs": 1.0}

    def __post_init__(self):
        if self.num_classes < 1:
            raise UserError(f"num_classes is {self.num_classes}: objects have one class or more")
        whole("most", self.most)
        for name in ("suppression", "least"):
            in_range(name, getattr(self, name), 0, 1)

    def targets(self, batch):
        """{"boxes": (B, N, 4) float32, "classes": (B, N) int32, -1 for none, "weight": (B,)}, and "masks" if any."""
        found = {"boxes": ops.cast(batch["boxes"], floatx()), "classes": ops.cast(batch["classes"], "int32")}
        weight = batch.get("weight")
        weight = ops.ones_like(found["classes"][:, 0]) if weight is None else weight
        found["weight"] = ops.cast(weight, floatx())
        return found | ({"masks": batch["masks"]} if "masks" in batch else {})

    def metrics(self, targets, outputs):
        """{}: what counts is judged over all pictures of a split together; see `kcnn.evaluation`."""
        return {}

    def decode(self, outputs):
        """{"boxes": (B, M, 4) in pixels of the frame, "scores": (B, M), "classes": (B, M) int32, "count": (B,)}.

        Best first; from place "count" on classes are -1, and boxes and scores 0.
        """
        boxes, scores = self.scored(outputs)
        return self.answered(boxes, scores)

    def answered(self, boxes, scores):
        """`decode` of all boxes (B, A, 4) and the scores (B, A, K) of their classes."""
        boxes, scores, classes, _ = candidates(boxes, scores, max(CANDIDATES, self.most), self.least)
        stay = survivors(boxes, classes, self.suppression)
        short = self.most - scores.shape[1]
        if short > 0:  # fewer places than answers
            boxes, scores = ops.pad(boxes, [[0, 0], [0, short], [0, 0]]), ops.pad(scores, [[0, 0], [0, short]])
            classes, stay = ops.pad(classes, [[0, 0], [0, short]]), ops.pad(stay, [[0, 0], [0, short]])
        kept, order = ops.top_k(ops.where(stay, scores, -1.0), self.most)
        there = kept > 0
        found = ops.where(there, ops.take_along_axis(classes, order, 1), -1)
        boxes = ops.where(there[..., None], ops.take_along_axis(boxes, order[..., None], 1), 0.0)
        count = ops.sum(ops.cast(there, "int32"), -1)
        return {"boxes": boxes, "scores": ops.where(there, kept, 0.0), "classes": found, "count": count}


def prediction(filters, start, name):
    """A 1x1 convolution of tiny weights and the bias `start`: what answers at each place of a map, in float32."""
    tiny, bias = keras.initializers.RandomNormal(stddev=0.01), keras.initializers.Constant(start)
    return keras.layers.Conv2D(filters, 1, kernel_initializer=tiny, bias_initializer=bias, dtype=floatx(), name=name)


def predicted_dense(x, units, name):
    """(..., units) float32 of features `x` (..., C): fully connected, of tiny weights."""
    tiny = keras.initializers.RandomNormal(stddev=0.01)
    return keras.layers.Dense(units, kernel_initializer=tiny, dtype=floatx(), name=name)(x)


def only_pictures(levels, head):
    """Refuse signals and volumes: boxes lie in pictures."""
    if rank_of(levels["image"]) != 2:
        raise UserError(f"the head {head} finds boxes in pictures (H, W, C), not in data of another rank")


def side_by_side(maps):
    """`Places` of maps {"p3": (B, h, w, C), ...}, whose number is that of their level."""
    outputs, strides, points = [], [], []
    for name, x in maps.items():
        stride = 1 << int(name[1:])
        rows, columns = ops.shape(x)[1:3]
        centres = cell_centres(rows, columns, stride)
        points.append(centres)
        strides.append(ops.zeros_like(centres[:, 0]) + float(stride))
        outputs.append(ops.reshape(ops.cast(x, floatx()), (-1, rows * columns, x.shape[-1])))
    return Places(ops.concatenate(outputs, 1), ops.concatenate(strides), ops.concatenate(points))
