"""The network as one function of frames, for formats that hold no text and no pictures of any size.

It answers in numbers, by the task of the head: "scores" (B, K) of a classifier; "mask", "score" (B, places…) of a
segmenter; "boxes", "scores", "classes", "count" of a detector, suppressed, and "masks" of Mask R-CNN. What a reader of
the file must know besides, names of classes above all, is `told` as JSON inside it.
"""

import json
import logging
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from kcnn.errors import UserError

BOX_PARTS = ("boxes", "scores", "classes", "count", "masks")


def holding(model):
    """A `tf.Module` that keeps the variables of `model` alive in what is written of it."""
    module = tf.Module()
    module.variables_ = [variable.value for variable in model.variables]
    return module


def program(model, head, facts, dtype):
    """tf.function "image" (B, *input_shape) of `dtype` → {name: numbers}."""

    def answered(image):
        found = head.decode(model(tf.cast(image, tf.float32), training=False))
        if head.task == "boxes":
            return {name: found[name] for name in BOX_PARTS if name in found}
        if head.task == "labels":
            return {"scores": found["scores"]}
        best = tf.argmax(found["scores"], -1, tf.int32)  # Keras's own argmax has operations that no other format has
        return {"mask": best, "score": tf.reduce_max(found["scores"], -1)}

    return tf.function(answered, input_signature=[tf.TensorSpec((None, *facts.input_shape), dtype, name="image")])


def told(head, facts):
    """JSON: class_names; task; the input's shape, and its scale, which is 0 to 255 for pictures; how these are framed.

    thresholds: of a classifier that gives several labels, from which score on each is there.
    framing: how a picture of another size is brought into the input's, see `kcnn.data.FRAMINGS`.
    """
    scale = "as in the training data" if facts.measured else "0 to 255"
    found = {"class_names": facts.class_names, "task": head.task, "input_shape": facts.input_shape}
    if getattr(head, "multi_label", False):
        found["thresholds"] = head.present_from
    return json.dumps(found | {"input_scale": scale, "framing": facts.framing}, ensure_ascii=False)


def answers(run, head, facts):
    """{"model": images → answers} of `run`: images (N, H, W, C) → {name: array}; labels are named."""
    names = np.asarray(facts.class_names, object)

    def answered(images):
        found = run(images)
        return found | {"label": names[found["scores"].argmax(-1)]} if head.task == "labels" else found

    return {"model": answered}


@contextmanager
def converting(format):
    """A network that a converter cannot take is a `UserError` that says which format and why.

    What a converter does to the process's own logging (OpenVINO's leaves only errors) is undone.
    """
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    try:
        yield
    except (OSError, MemoryError, UserError):
        raise
    except Exception as error:  # converters raise types of their own, and Exception itself
        lines = [line for line in str(error).splitlines() if "rror" in line or "not" in line] or [repr(error)]
        raise UserError(f"{format} cannot hold this network: {lines[0].strip()[:300]}") from error
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
