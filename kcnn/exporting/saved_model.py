"""SavedModel: the network as a program of TensorFlow's own operations, with its decoder and its class names inside.

Signatures: `serving_default` (image → label, score, scores), `from_bytes` (encoded pictures of any size → the same; for
pictures only), `features` (image → features), `class_names` (→ class_names). Nothing in it needs kcnn or Keras.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from kcnn.data.rendering import frames_from_bytes
from kcnn.exporting.registry import EXPORTERS, Exporter
from kcnn.inspection import features


def write(model, head, facts, path, images):
    """Write the SavedModel of `model` into the folder `path`; it takes images of the dtype of `images`."""
    network = _Network(model, head, facts)
    image = tf.TensorSpec((None, *facts.input_shape), images.dtype, name="image")
    module = tf.Module()
    module.variables_ = [variable.value for variable in model.variables]
    signatures = {
        "serving_default": tf.function(network.answer, input_signature=[image]),
        "features": tf.function(network.features, input_signature=[image]),
        "class_names": tf.function(network.class_names, input_signature=[]),
    }
    if takes_bytes(facts, images):
        encoded = tf.TensorSpec((None,), tf.string, name="bytes")
        signatures["from_bytes"] = tf.function(network.answer_bytes, input_signature=[encoded])
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder, "class_names.json")
        names.write_text(json.dumps(facts.class_names, ensure_ascii=False), "utf-8")
        module.class_names_file = tf.saved_model.Asset(str(names))
        tf.saved_model.save(module, str(path), signatures=signatures)


def takes_bytes(facts, images):
    """Whether the model's input is what a decoder gives: (H, W, 1 or 3) uint8."""
    return images.dtype == np.uint8 and len(facts.input_shape) == 3 and facts.input_shape[-1] in (1, 3)


class _Network:
    """The functions behind the signatures."""

    def __init__(self, model, head, facts):
        self.model, self.head, self.facts = model, head, facts
        self.to_features = features(model)
        self.names = tf.constant(facts.class_names)

    def answer(self, image):
        count = tf.shape(image)[0]
        decoded = self.head.decode(self.model(_some(tf.cast(image, tf.float32)), training=False))
        answers = {name: decoded[name][:count] for name in ("label", "score", "scores")}
        return answers | {"label": tf.gather(self.names, answers["label"])}

    def answer_bytes(self, encoded):
        """An item that is no picture has label "" and zero scores, and leaves its neighbours alone."""
        facts = self.facts
        image, ok = frames_from_bytes(encoded, facts.input_shape, facts.framing, facts.max_pixels)
        answers = self.answer(image)
        return {
            "label": tf.where(ok, answers["label"], ""),
            "score": tf.where(ok, answers["score"], 0.0),
            "scores": tf.where(ok[:, None], answers["scores"], 0.0),
        }

    def features(self, image):
        seen = self.to_features(_some(tf.cast(image, tf.float32)), training=False)
        return {"features": seen[: tf.shape(image)[0]]}

    def class_names(self):
        return {"class_names": self.names}


def _some(images):
    """The batch, or one black picture in place of none: TensorFlow's convolutions fail on an empty batch."""
    missing = tf.cast(tf.shape(images)[:1] == 0, tf.int32)
    return tf.concat([images, tf.zeros(tf.concat([missing, tf.shape(images)[1:]], 0))], 0)


def load(path, head, facts):
    """{signature: images (N, H, W, C) → {"label", "scores"}}, by the SavedModel at `path`."""
    served = tf.saved_model.load(str(path)).signatures
    ways = {"serving_default": lambda images: _named(served["serving_default"](image=tf.constant(images)))}
    if "from_bytes" in served:
        ways["from_bytes"] = lambda images: _named(served["from_bytes"](bytes=_encoded(images)))
    return ways


def _encoded(images):
    return tf.stack([tf.io.encode_png(image) for image in images])


def _named(out):
    return {"label": [label.decode() for label in out["label"].numpy()], "scores": out["scores"].numpy()}


DESCRIPTION = "a folder that TensorFlow and TF Serving run by themselves: pictures or files in, labels out"
EXPORTERS.add("saved_model", Exporter("saved_model", DESCRIPTION, write, load))
