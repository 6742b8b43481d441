"""What all heads for masks share: options, targets, losses, figures and answers. A head adds its architecture."""

from dataclasses import dataclass, fields
from typing import ClassVar

import keras
from keras import ops

from kcnn.architectures import is_level, stride_of
from kcnn.errors import UserError
from kcnn.heads.mask_losses import MASK_LOSSES, Judged, judged_loss, over_places, parsed
from kcnn.heads.options import in_range, pair
from kcnn.layers import PLAIN, dropout, enlarge, rank_of
from kcnn.masks import MOST_CLASSES

MOST_MARGIN = 100


@dataclass(frozen=True)
class MaskHead:
    """One of `num_classes` classes for every place of a picture, signal or volume.

    objective: a name of `MASK_LOSSES`, or a sum of them such as "cross_entropy + 0.5*dice".
    class_weights: one weight a class, or None; they weigh the loss, not the metrics.
    label_smoothing: share of the target spread over all classes, in cross-entropy and boundary.
    gamma: of the focal loss; 0 is cross-entropy.
    tversky: (alpha, beta) of the Tversky loss: what false alarms and misses count.
    boundary: (w0, sigma) of the boundary loss: how much narrow gaps add, and how narrow in places.
    margin: what is added to the logit of class 0, which is what is around, in answers; not in training, and not in its
        figures. None: the report of a run finds the best on val, with which the run then answers.
    dropout: share of the features dropped before the scores; of FCN, before those of the deepest level.
    """

    num_classes: int
    objective: str = "cross_entropy"
    class_weights: tuple[float, ...] | None = None
    label_smoothing: float = 0.0
    gamma: float = 2.0
    tversky: tuple[float, float] = (0.3, 0.7)
    boundary: tuple[float, float] = (10.0, 5.0)
    dropout: float = 0.0
    margin: float | None = None

    task: ClassVar[str] = "masks"
    levels: ClassVar[tuple[str, ...]] = ()
    main_metric: ClassVar[str] = "mean_iou"

    def __post_init__(self):
        if not 2 <= self.num_classes <= MOST_CLASSES:
            raise UserError(f"num_classes is {self.num_classes}: masks have from 2 to {MOST_CLASSES} classes")
        for name in ("label_smoothing", "dropout"):
            in_range(name, getattr(self, name), 0, 1)
        in_range("gamma", self.gamma, 0)
        alpha, beta = pair("tversky", self.tversky)
        if not (alpha > 0 and beta > 0):
            raise UserError(f"tversky is {self.tversky}: alpha and beta must be above 0")
        if not pair("boundary", self.boundary)[1] > 0:
            raise UserError(f"boundary is {self.boundary}: sigma, its second number, must be above 0")
        if self.margin is not None:
            in_range("margin", self.margin, -MOST_MARGIN, MOST_MARGIN)
        self._check_class_weights()
        self._check_use()

    def _check_use(self):
        """Refuse options of losses that are not in the objective."""
        used = {option for _, name in parsed(self.objective) for option in MASK_LOSSES[name].options}
        usual = {field.name: field.default for field in fields(self)}
        for option in sorted({option for loss in MASK_LOSSES.values() for option in loss.options} - used):
            if (value := getattr(self, option)) != usual[option]:
                users = " or ".join(name for name, loss in MASK_LOSSES.items() if option in loss.options)
                raise UserError(
                    f"{option} is {value!r}: the objective {self.objective!r} has no use for it; leave it out, or add "
                    f"{users}"
                )

    def _check_class_weights(self):
        weights = self.class_weights
        if weights is None:
            return
        if not isinstance(weights, tuple):
            raise UserError(f"class_weights is {weights!r}: it must be a list of numbers, one a class")
        if len(weights) != self.num_classes:
            raise UserError(f"class_weights has {len(weights)} values for {self.num_classes} classes")
        for weight in weights:
            in_range("class_weights", weight, 0)
        if not any(weights):
            raise UserError("class_weights are all 0: one at least must be above")

    def targets(self, batch):
        """{"mask": (B, n...) int32, "valid": (B, n...) float32, "weight": (B,)}; "valid" is 1 where a class is given.

        Where it is 0, the mask is 0 too.
        """
        mask = ops.cast(batch["mask"], "int32")
        valid = mask < self.num_classes
        weight = batch.get("weight")
        weight = ops.ones(ops.shape(mask)[:1], "float32") if weight is None else ops.cast(weight, "float32")
        return {"mask": ops.where(valid, mask, 0), "valid": ops.cast(valid, "float32"), "weight": weight}

    def loss(self, targets, outputs):
        """Per sample (sum (B,), weight (B,)) of the `objective`, as `judged_loss` counts it."""
        dtype = keras.backend.result_type(outputs.dtype, "float32")
        valid, weight = (ops.cast(targets[name], dtype) for name in ("valid", "weight"))
        judged = Judged(ops.cast(outputs, dtype), targets["mask"], valid)
        return judged_loss(judged, weight, parsed(self.objective), self)

    def metrics(self, targets, outputs):
        """{name: (sum (B,), weight (B,))}: pixel_accuracy, and "mean_iou/0" on, a class's intersections and unions."""
        mask, valid, weight = targets["mask"], targets["valid"], targets["weight"]
        best = ops.cast(ops.argmax(outputs, axis=-1), "int32")
        right = ops.cast(best == mask, "float32") * valid
        hit, there = self._counts(mask, right, valid)
        (said,) = self._counts(best, valid)
        union = there + said - hit
        found = {"pixel_accuracy": (over_places(right, keep=0) * weight, over_places(valid, keep=0) * weight)}
        parts = {f"mean_iou/{c}": (hit[:, c] * weight, union[:, c] * weight) for c in range(self.num_classes)}
        return found | parts

    def _counts(self, classes, *weights):
        """For each of `weights` (B, n...), (B, K): its sum over the places of each class."""
        each = ops.one_hot(classes, self.num_classes, dtype="float32")
        each, weights = (
            ops.reshape(x, (ops.shape(x)[0], -1, x.shape[-1])) for x in (each, ops.stack(weights, axis=-1))
        )
        sums = ops.einsum("bpk,bpw->bwk", each, weights)
        return [sums[:, i] for i in range(sums.shape[1])]

    def decode(self, outputs):
        """{"mask": (B, n...) uint8 best class, "score": (B, n...) its chance, "scores": (B, n..., K)}."""
        logits = ops.cast(outputs, "float32")
        if self.margin:
            logits = logits + self.margin * ops.one_hot(0, self.num_classes, dtype="float32")
        scores = ops.softmax(logits, axis=-1)
        return {"mask": ops.cast(ops.argmax(logits, axis=-1), "uint8"), "score": ops.max(scores, -1), "scores": scores}

    def logits(self, x, image, strides=1, name="logits"):
        """Raw logits (B, n..., K), float32 and of the size of `image`, of a map `x` at a stride; layer `name`.

        Above stride 1, layer `name`_score computes them and `name` enlarges them.
        """
        x = dropout(x, self.dropout, f"{name}_dropout")
        if strides == 1:
            return self.score(x, name)
        scores = self.score(x, f"{name}_score")
        return enlarge(scores, image, strides, smooth=True, dtype="float32", name=name)

    def score(self, x, name, start="glorot_uniform"):
        """(B, n..., K), float32, of a map `x`: one 1x1 convolution of that name; `start`: its initializer."""
        layer = PLAIN[rank_of(x)](self.num_classes, 1, kernel_initializer=start, dtype="float32", name=name)
        return layer(x)


def last_level(levels):
    """(number, map) of the deepest level: (5, levels["c5"])."""
    name = max(filter(is_level, levels))
    return stride_of(name).bit_length() - 1, levels[name]
