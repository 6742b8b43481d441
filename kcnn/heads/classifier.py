"""Classification: one label a picture, or several."""

from dataclasses import dataclass
from typing import ClassVar

import keras
from keras import ops

from kcnn.architectures import deepest
from kcnn.errors import UserError, unknown_name
from kcnn.heads.registry import HEADS
from kcnn.layers import dropout, global_average_pool

TOPS = ("pooled", "own")


@HEADS.register("classifier")
@dataclass(frozen=True)
class Classifier:
    """Scores for `num_classes` classes from the deepest level, or from the family's own top.

    multi_label: several labels a picture, each with its own sigmoid.
    label_smoothing: share of the target spread over all classes (or, with several labels, towards one half).
    class_weights: one weight a class, or None; they weigh the loss, not the metrics.
    focal_gamma: 0 is cross-entropy; above, pictures that are already right count less (Lin et al. 2017).
    dropout: share of the features dropped before the last layer.
    top: "pooled" (global average and one layer) or "own" (what the paper puts there).
    temperature: divides the logits of answers, not of training; None: 1, or what a run's report finds on val.
    thresholds: with several labels, from which score on each is said to be there; None: 0.5, or as the report finds.
    """

    num_classes: int
    multi_label: bool = False
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    focal_gamma: float = 0.0
    dropout: float = 0.0
    top: str = "pooled"
    temperature: float | None = None
    thresholds: tuple[float, ...] | None = None

    task: ClassVar[str] = "labels"
    levels: ClassVar[tuple[str, ...]] = ()
    main_metric: ClassVar[str] = "accuracy"
    auxiliary: ClassVar[bool] = True  # `classify` is for a family's auxiliary features too; a head may leave that out

    def __post_init__(self):
        least = 1 if self.multi_label else 2
        if self.num_classes < least:
            raise UserError(f"num_classes is {self.num_classes}: a classifier needs at least {least}")
        if self.top not in TOPS:
            raise unknown_name("top", self.top, TOPS)
        for field in ("class_weights", "thresholds"):
            if (found := getattr(self, field)) is not None and len(found) != self.num_classes:
                raise UserError(f"{field} has {len(found)} values for {self.num_classes} classes")
        if self.temperature is not None and not self.temperature > 0:
            raise UserError(f"temperature is {self.temperature!r}: it must be above 0")
        for field in ("label_smoothing", "dropout"):
            if not 0 <= getattr(self, field) < 1:
                raise UserError(f"{field} is {getattr(self, field)!r}: it must be from 0 to below 1")
        if self.focal_gamma < 0:
            raise UserError(f"focal_gamma is {self.focal_gamma!r}: it must be 0 (cross-entropy) or above")

    def build(self, levels, variant):
        """Raw logits (B, num_classes), float32 under every policy, from the levels of `variant`; layer "logits"."""
        if self.top == "own" and variant.own_top is not None:
            x = variant.own_top(levels, variant.row)
        else:
            x = global_average_pool(deepest(levels), name="pool")
        return self.classify(dropout(x, self.dropout, "head_dropout"), "logits")

    def classify(self, features, name):
        """Raw logits (B, num_classes), float32, of features (B, F): one fully connected layer of that name."""
        initializer = keras.initializers.RandomNormal(stddev=0.01)
        layer = keras.layers.Dense(self.num_classes, kernel_initializer=initializer, dtype="float32", name=name)
        return layer(features)

    def targets(self, batch):
        """{"label": (B, K) float32, "weight": (B,) float32} from a batch with int labels (B,) or soft ones (B, K)."""
        label = ops.convert_to_tensor(batch["label"])
        if len(label.shape) == 1:
            label = ops.one_hot(ops.cast(label, "int32"), self.num_classes)
        label = ops.cast(label, "float32")
        weight = batch.get("weight")
        weight = ops.ones_like(label[:, 0]) if weight is None else ops.cast(weight, "float32")
        return {"label": label, "weight": weight}

    def loss(self, targets, outputs):
        """Per sample (sum (B,), weight (B,)): cross-entropy times weight, and weight, that of sample and class."""
        label, weight = targets["label"], targets["weight"]
        logits = ops.cast(outputs, "float32")
        each = self._binary(label, logits) if self.multi_label else self._categorical(label, logits)
        if self.class_weights is None:
            per_sample = ops.mean(each, axis=-1) if self.multi_label else ops.sum(each, axis=-1)
        else:
            weights = ops.convert_to_tensor(self.class_weights, "float32")
            if self.multi_label:
                per_sample = ops.sum(each * weights, axis=-1) / ops.sum(weights)
            else:
                per_sample = ops.sum(each, axis=-1)
                weight = weight * ops.sum(label * weights, axis=-1)
        return per_sample * weight, weight

    def metrics(self, targets, outputs):
        """{name: (sum (B,), weight (B,))}: accuracy, and top5 above five classes; for labels also exact_match."""
        label, weight = targets["label"], targets["weight"]
        if self.multi_label:
            right = ops.cast((outputs > 0) == (label > 0.5), "float32")
            found = {"accuracy": ops.mean(right, axis=-1), "exact_match": ops.min(right, axis=-1)}
        else:
            truth = ops.argmax(label, axis=-1)
            found = {"accuracy": ops.cast(ops.argmax(outputs, axis=-1) == truth, "float32")}
            if self.num_classes > 5:
                found["top5"] = ops.cast(ops.in_top_k(truth, outputs, k=5), "float32")
        return {name: (value * weight, weight) for name, value in found.items()}

    def decode(self, outputs):
        """{"label": (B,) int32 index of the best class, "score": (B,) its score, "scores": (B, K)}, all from 0 to 1.

        With several labels also "present": (B, K) bool, which of them are there.
        """
        logits = ops.cast(outputs, "float32") / (self.temperature or 1.0)
        scores = ops.sigmoid(logits) if self.multi_label else ops.softmax(logits, axis=-1)
        best = ops.cast(ops.argmax(logits, axis=-1), "int32")
        found = {"label": best, "score": ops.max(scores, axis=-1), "scores": scores}
        least = ops.convert_to_tensor(self.present_from, "float32")
        return found | ({"present": scores >= least} if self.multi_label else {})

    @property
    def present_from(self):
        """(K,): from which score on each of several labels is said to be there."""
        return tuple(self.thresholds or [0.5] * self.num_classes)

    def _categorical(self, label, logits):
        label = label * (1 - self.label_smoothing) + self.label_smoothing / self.num_classes
        log_p = ops.log_softmax(logits, axis=-1)
        return -label * log_p * self._focus(1.0 - ops.exp(log_p))

    def _binary(self, label, logits):
        label = label * (1 - self.label_smoothing) + self.label_smoothing / 2
        yes, no = -ops.softplus(-logits), -ops.softplus(logits)
        chance = ops.sigmoid(logits)
        return -(label * yes * self._focus(1.0 - chance) + (1.0 - label) * no * self._focus(chance))

    def _focus(self, miss):
        """(what is missing to certainty) ^ gamma; the floor keeps the gradient finite where gamma is below 1."""
        return ops.power(ops.maximum(miss, 1e-7), self.focal_gamma) if self.focal_gamma else 1.0
