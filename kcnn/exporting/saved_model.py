"""SavedModel: the network as a program of TensorFlow's own operations, with its decoder and its class names inside.

Signatures of a classifier: `serving_default` (image → label, score, scores), `from_bytes` (encoded pictures of any size
→ the same; for pictures only), `features` (image → features), `class_names` (→ class_names). Of a segmenter:
`serving_default` (image of any size → mask, score; a signal or volume of the size of training), `from_bytes` (→
png_bytes of the mask, score), `class_names` (→ class_names, colours). Of a detector: `serving_default` (image of any
size → boxes, scores, classes, count, of Mask R-CNN masks; suppressed), `from_bytes` (→ the same), `class_names`.
Nothing in it needs kcnn or Keras.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from kcnn.exporting.portable import holding
from kcnn.exporting.programs import PROGRAMS
from kcnn.exporting.registry import EXPORTERS, Exporter


def write(model, head, facts, path, images):
    """Write the SavedModel of `model` into the folder `path`; it takes images of the dtype of `images`."""
    module = holding(model)
    program = PROGRAMS[head.task].Program(model, head, facts)
    signatures = program.signatures(tf.as_dtype(images.dtype), takes_bytes(facts, images))
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder, "class_names.json")
        names.write_text(json.dumps(facts.class_names, ensure_ascii=False), "utf-8")
        module.class_names_file = tf.saved_model.Asset(str(names))
        tf.saved_model.save(module, str(path), signatures=signatures)


def takes_bytes(facts, images):
    """Whether the model's input is what a decoder gives: (H, W, 1 or 3) uint8."""
    return images.dtype == np.uint8 and len(facts.input_shape) == 3 and facts.input_shape[-1] in (1, 3)


def load(path, head, facts):
    """{signature: images (N, H, W, C) → answers}, by the SavedModel at `path`."""
    return PROGRAMS[head.task].load(tf.saved_model.load(str(path)).signatures)


DESCRIPTION = "a folder that TensorFlow and TF Serving run by themselves: pictures in, labels, masks or boxes out"
EXPORTERS.add("saved_model", Exporter("saved_model", DESCRIPTION, write, load))
