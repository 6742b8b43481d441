"""He et al. 2017, Mask R-CNN: Faster R-CNN, and a small network that draws the outline of each object in its box."""

from dataclasses import dataclass
from typing import ClassVar

import keras
from keras import ops
from keras.config import floatx

from kcnn.boxes import align, match_by_overlap
from kcnn.errors import UserError
from kcnn.heads.faster_rcnn import FasterRCNN, HeadLayer, Read, without_gradient
from kcnn.heads.options import whole
from kcnn.heads.own_style import head_style
from kcnn.heads.registry import HEADS
from kcnn.layers import activation, convolve, transposed

READ = 14  # side of the maps that are read from each box
SIDE = 2 * READ  # of the masks
MATCHED = 0.5  # IoU from which a box learns an object's outline
PARTS = ("boxes", "scores", "classes", "count")


@HEADS.register("mask_rcnn")
@dataclass(frozen=True)
class MaskRCNN(FasterRCNN):
    """Mask R-CNN, for pictures of one size.

    most: boxes a picture that are answered, each with a mask of 28 x 28 places; in training outlines are learned in as
        many proposals, the surest.
    depth: convolutions before a mask.
    """

    most: int = 20
    depth: int = 2

    outlines: ClassVar[bool] = True

    def __post_init__(self):
        super().__post_init__()
        whole("depth", self.depth)
        if self.most > self.proposals:
            raise UserError(
                f"most is {self.most}: it must be at most proposals, {self.proposals}, whose outlines it draws"
            )

    def build(self, levels, variant):
        """What `FasterRCNN` gives, the answers "boxes" (B, M, 4), "scores", "classes", "count", and their "masks".

        masks: (B, M, 28, 28, K) float32 logits.
        """
        found, maps = self.stages(levels, variant)
        answers, style = Answer(self, dtype=floatx(), name="answers")(found), head_style(variant)
        strides = [1 << int(name[1:]) for name in maps]
        x = Read(strides, READ, name="mask_read")([answers["boxes"], *maps.values()])
        x = Fold(name="mask_fold")(x)
        for part in range(1, self.depth + 1):
            x = convolve(x, self.filters, 3, bias=True, style=style, name=f"mask_{part}")
            x = activation(x, style, f"mask_{part}_act")
        x = transposed(x, self.filters, 2, bias=True, style=style, name="mask_larger")
        x = activation(x, style, "mask_larger_act")
        x = keras.layers.Conv2D(self.num_classes, 1, dtype=floatx(), name="mask_logits")(x)
        return found | answers | {"masks": Unfold(self.most, dtype=floatx(), name="masks")(x)}

    def decode(self, outputs):
        """As of every head for boxes, and "masks" (B, M, 28, 28): from 0 to 1, of each box's class, within the box."""
        sure = outputs["scores"] > self.least
        found = {key: ops.where(sure, outputs[key], none) for key, none in (("scores", 0.0), ("classes", -1))}
        found |= {"boxes": ops.where(sure[..., None], outputs["boxes"], 0.0)}
        masks = ops.sigmoid(self._of_class(outputs["masks"], ops.maximum(found["classes"], 0)))
        return found | {"count": ops.sum(ops.cast(sure, "int32"), -1), "masks": masks}

    def loss(self, targets, outputs):
        """Per sample (sum (B,), weight (B,)): the sum of five means, and the weight of the sample."""
        total, weight = super().loss(targets, outputs)
        return total + self._mask_loss(targets, outputs) * targets["weight"], weight

    def _mask_loss(self, targets, outputs):
        if "masks" not in targets:
            raise UserError("mask_rcnn learns outlines, and this data has boxes alone: set model.head to faster_rcnn")
        boxes = ops.stop_gradient(outputs["boxes"])
        match = match_by_overlap(boxes, targets["boxes"], targets["classes"], MATCHED, MATCHED, rescue=False)
        kind = ops.maximum(ops.take_along_axis(targets["classes"], match.object, 1), 0)
        wanted = drawn_in(targets["masks"], match.object, boxes)
        entropy = ops.binary_crossentropy(wanted, self._of_class(outputs["masks"], kind), from_logits=True)
        positive = ops.cast(match.positive, floatx())
        return ops.sum(ops.mean(entropy, (2, 3)) * positive, 1) / ops.maximum(ops.sum(positive, 1), 1.0)

    def _of_class(self, masks, kind):
        """(B, M, 28, 28) of `masks` (B, M, 28, 28, K): those of each box's class `kind` (B, M)."""
        return ops.take_along_axis(masks, kind[:, :, None, None, None], -1)[..., 0]


def drawn_in(masks, number, boxes):
    """float32 (B, M, 28, 28) of 0 and 1: what each of `boxes` (B, M, 4) shows of the object `number` (B, M) of `masks`.

    masks: (B, N, H, W).
    """
    planes = ops.take_along_axis(ops.cast(masks, floatx()), number[..., None, None], 1)
    height, width = planes.shape[2:]
    planes = ops.reshape(planes, (-1, height, width, 1))
    seen = align([planes], (1,), ops.reshape(boxes, (-1, 1, 4)), SIDE, 1)
    return ops.cast(ops.reshape(seen, (-1, boxes.shape[1], SIDE, SIDE)) >= 0.5, floatx())


@keras.saving.register_keras_serializable(package="kcnn")
class Answer(HeadLayer):
    """The boxes that `head` answers, from the outputs of its two stages, as a dict of tensors.

    In training these are the surest proposals, which are no answers yet: without class and score.
    """

    def call(self, outputs, training=False):
        if training:
            regions = ops.stop_gradient(outputs["regions"][:, : self.head.most])
            none = ops.zeros_like(regions[..., 0])
            return {"boxes": regions, "scores": none, "classes": ops.cast(none, "int32") - 1,
                    "count": ops.cast(none[:, 0], "int32")}  # fmt: skip
        found = super(MaskRCNN, self.head).decode(without_gradient(outputs))
        return {key: found[key] for key in PARTS}

    def compute_output_spec(self, outputs, training=False):
        batch, most = outputs["logits"].shape[0], self.head.most
        shapes = {"boxes": (batch, most, 4), "scores": (batch, most), "classes": (batch, most), "count": (batch,)}
        kinds = {"boxes": floatx(), "scores": floatx(), "classes": "int32", "count": "int32"}
        return {key: keras.KerasTensor(shape, kinds[key]) for key, shape in shapes.items()}


@keras.saving.register_keras_serializable(package="kcnn")
class Fold(keras.layers.Layer):
    """(B, M, h, w, C) -> (B M, h, w, C): boxes as if they were pictures."""

    def call(self, inputs):
        return ops.reshape(inputs, (-1, *inputs.shape[2:]))

    def compute_output_shape(self, shape):
        return (None, *shape[2:])


@keras.saving.register_keras_serializable(package="kcnn")
class Unfold(keras.layers.Layer):
    """(B M, h, w, C) -> (B, M, h, w, C) for `count` M: `Fold` undone."""

    def __init__(self, count, **kwargs):
        super().__init__(**kwargs)
        self.count = count

    def call(self, inputs):
        return ops.reshape(inputs, (-1, self.count, *inputs.shape[1:]))

    def compute_output_shape(self, shape):
        return (None, self.count, *shape[1:])

    def get_config(self):
        return {**super().get_config(), "count": self.count}
