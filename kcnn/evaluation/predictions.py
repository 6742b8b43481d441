"""Run a model once over a split: the arrays that every figure of the report is computed from."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

ROWS = 1024


@dataclass(frozen=True)
class Predictions:
    """What a model answered for N samples of K classes, in the order of the split.

    scores (N, K) float32: probabilities (each label's own when multi-label); labels (N,) int32, or (N, K) float32 when
    multi-label; weights (N,) float32: the samples' own; index (N,) int64: their places in the split; brightness (N,)
    float32: the mean grey level 0–255 of each picture as the network sees it, None if the data are no pictures.
    """

    scores: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    index: np.ndarray
    brightness: np.ndarray | None = None

    @property
    def multi_label(self):
        return self.labels.ndim == 2

    def __len__(self):
        return len(self.scores)

    def parts(self):
        """Yields slices of some rows each, for what would else hold several arrays as large as the scores."""
        for start in range(0, len(self), ROWS):
            yield slice(start, start + ROWS)


def answer(model, head, only=None):
    """A compiled function from images (B, ...) of any dtype to the head's decoded answers, as outside training.

    only: the name of the one answer wanted; what else the head decodes is then not computed.
    """

    def decoded(image):
        answers = head.decode(model(image, training=False))
        return answers if only is None else answers[only]

    run = tf.function(decoded, input_signature=[tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)])
    run = run.get_concrete_function()
    return lambda image: run(tf.cast(image, tf.float32))


def predict(model, head, batches):
    """`Predictions` of `model` on one pass over `batches` (training=False), without the rows that pad the last one.

    Soft labels count as the class with the largest share, unless the head answers several labels.
    Raises `ValueError` when there is not one sample.
    """
    run = answer(model, head)
    parts = []
    for batch in batches:
        rows = {"scores": run(batch["image"])["scores"], "labels": batch["label"], "weights": batch["weight"]}
        if batch["image"].dtype == tf.uint8:
            rows["brightness"] = tf.reduce_mean(tf.cast(batch["image"], tf.float32), axis=(1, 2, 3))
        index = batch["index"].numpy()
        parts.append({name: value.numpy()[index >= 0] for name, value in rows.items()} | {"index": index[index >= 0]})
    if not sum(len(part["index"]) for part in parts):
        raise ValueError("there is nothing to predict: the batches hold no sample")
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    classes = columns["scores"].shape[1]
    return Predictions(**columns | {"labels": as_answered(columns["labels"], head.multi_label, classes)})


def as_answered(labels, several, classes):
    """Labels in the form of a head's answers: one class number a sample, or with `several` a column of 0–1 a class."""
    if several and labels.ndim == 1:
        return (labels[:, None] == np.arange(classes)).astype(np.float32)
    return labels if several or labels.ndim == 1 else labels.argmax(1).astype(np.int32)


def pictures(batches):
    """The images (N, ...) of one pass over `batches` as the network sees them, padding rows left out."""
    return np.concatenate([batch["image"].numpy()[batch["index"].numpy() >= 0] for batch in batches])
