"""What a SavedModel of a classifier answers: labels, scores and features of pictures in their frame."""

import numpy as np
import tensorflow as tf

from kcnn.data.rendering import frames_from_bytes
from kcnn.exporting.batches import at_least_one
from kcnn.inspection import features


class Program:
    """The functions behind the signatures, see `saved_model`."""

    def __init__(self, model, head, facts):
        self.model, self.head, self.facts = model, head, facts
        self.to_features = features(model)
        self.names = tf.constant(facts.class_names)

    def signatures(self, dtype, takes_bytes):
        """{name: tf.function} for images of `dtype`."""
        image = tf.TensorSpec((None, *self.facts.input_shape), dtype, name="image")
        found = {
            "serving_default": tf.function(self.answer, input_signature=[image]),
            "features": tf.function(self.features, input_signature=[image]),
            "class_names": tf.function(self.class_names, input_signature=[]),
        }
        if takes_bytes:
            encoded = tf.TensorSpec((None,), tf.string, name="bytes")
            found["from_bytes"] = tf.function(self.answer_bytes, input_signature=[encoded])
        return found

    def answer(self, image):
        count = tf.shape(image)[0]
        decoded = self.head.decode(self.model(at_least_one(tf.cast(image, tf.float32)), training=False))
        answers = {name: decoded[name][:count] for name in ("label", "score", "scores", "present") if name in decoded}
        return answers | {"label": tf.gather(self.names, answers["label"])}

    def answer_bytes(self, encoded):
        """An item that is no picture has label "" and zero scores, and leaves its neighbours alone."""
        facts = self.facts
        image, ok = frames_from_bytes(encoded, facts.input_shape, facts.framing, facts.max_pixels)
        answers = self.answer(image)
        found = {
            "label": tf.where(ok, answers["label"], ""),
            "score": tf.where(ok, answers["score"], 0.0),
            "scores": tf.where(ok[:, None], answers["scores"], 0.0),
        }
        return found | ({"present": answers["present"] & ok[:, None]} if "present" in answers else {})

    def features(self, image):
        seen = self.to_features(at_least_one(tf.cast(image, tf.float32)), training=False)
        return {"features": seen[: tf.shape(image)[0]]}

    def class_names(self):
        return {"class_names": self.names}


def load(served):
    """{signature: images (N, H, W, C) → {"label", "scores"}} of the `served` signatures."""
    ways = {"serving_default": lambda images: _named(served["serving_default"](image=tf.constant(images)))}
    if "from_bytes" in served:
        ways["from_bytes"] = lambda images: _named(served["from_bytes"](bytes=_encoded(images)))
    return ways


def _encoded(images):
    return tf.stack([tf.io.encode_png(image) for image in images])


def _named(out):
    return {"label": [label.decode() for label in out["label"].numpy()], "scores": out["scores"].numpy()}


def disagreement(expected, given, facts):
    """(largest difference of a score, how far a label lies behind the best at most, share of equal labels).

    expected: decoded answers of the model; given: {"label": names, "scores"}.
    """
    scores, names = expected["scores"].numpy(), np.asarray(facts.class_names, dtype=object)
    difference = np.abs(given["scores"] - scores).max()
    label = [np.flatnonzero(names == name) for name in given["label"]]
    behind = [scores[i].max() - scores[i, place].max(initial=-1) for i, place in enumerate(label)]
    agree = np.mean(names[scores.argmax(1)] == np.asarray(given["label"], dtype=object))
    return float(difference), float(max(behind)), float(agree)
