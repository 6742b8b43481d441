"""What a SavedModel of a detector answers: boxes of objects in pictures of any size, suppressed, with class names."""

import numpy as np
import tensorflow as tf

from kcnn.boxes import pairwise_iou
from kcnn.data import fit_to_frame, in_pictures, sized_frames_from_bytes
from kcnn.exporting.batches import at_least_one

LIKE = 0.75  # IoU from which answers of a class are of one object
PARTS = ("boxes", "scores", "classes", "count")


class Program:
    """The functions behind the signatures, see `saved_model`; how sure an answer must be is the head's `least`.

    Of Mask R-CNN, answers have "masks" (B, M, 28, 28) and "mask_boxes" (B, M, 4), too: each mask from 0 to 1, to be
    stretched over its box, which may reach beyond the picture; from 0.5 on a place is the object's.
    """

    def __init__(self, model, head, facts):
        self.model, self.head, self.facts = model, head, facts
        self.names = tf.constant(facts.class_names)

    def signatures(self, dtype, takes_bytes):
        """{name: tf.function} for images of `dtype`."""
        size = (None, None) if dtype == tf.uint8 else self.facts.input_shape[:2]
        image = tf.TensorSpec((None, *size, self.facts.input_shape[-1]), dtype, name="image")
        found = {
            "serving_default": tf.function(self.of_pictures, input_signature=[image]),
            "class_names": tf.function(self.class_names, input_signature=[]),
        }
        if takes_bytes:
            encoded = tf.TensorSpec((None,), tf.string, name="bytes")
            found["from_bytes"] = tf.function(self.of_bytes, input_signature=[encoded])
        return found

    def of_pictures(self, image):
        """{"boxes" (B, M, 4) in the pictures' pixels, "scores", "classes" (B, M), "count" (B,)} of (B, H, W, C)."""
        facts, some = self.facts, at_least_one(image)
        sizes = tf.tile(tf.shape(some)[None, 1:3], [tf.shape(some)[0], 1])
        if image.dtype == tf.uint8:
            frame = tf.TensorSpec(facts.input_shape, tf.uint8)
            some = tf.map_fn(
                lambda one: fit_to_frame(one, facts.input_shape, facts.framing), some, fn_output_signature=frame
            )
        return {key: value[: tf.shape(image)[0]] for key, value in self._answer(some, sizes).items()}

    def of_bytes(self, encoded):
        """The same of encoded pictures of any size; what is no picture has count 0, and its neighbours their own."""
        facts = self.facts
        frames, ok, sizes = sized_frames_from_bytes(encoded, facts.input_shape, facts.framing, facts.max_pixels)
        found = self._answer(at_least_one(frames), tf.pad(sizes, [[0, tf.cast(tf.size(ok) == 0, tf.int32)], [0, 0]]))
        found = {key: value[: tf.size(ok)] for key, value in found.items()}
        none = {"boxes": 0.0, "scores": 0.0, "classes": -1, "count": 0, "masks": 0.0, "mask_boxes": 0.0}
        for key, value in found.items():
            there = tf.reshape(ok, [-1, *[1] * (value.shape.rank - 1)])
            found[key] = tf.where(there, value, tf.cast(none[key], value.dtype))
        return found

    def class_names(self):
        """{"class_names": (K,)}"""
        return {"class_names": self.names}

    def _answer(self, frames, sizes):
        found = self.head.decode(self.model(tf.cast(frames, tf.float32), training=False))
        boxes, uncut = in_pictures(found["boxes"], sizes, self.facts.input_shape, self.facts.framing)
        there = (found["classes"] >= 0)[..., None]
        parts = {key: found[key] for key in (*PARTS, "masks") if key in found}
        parts |= {"mask_boxes": tf.where(there, uncut, 0.0)} if "masks" in found else {}
        return parts | {"boxes": tf.where(there, boxes, 0.0)}


def load(served):
    """{signature: images (N, H, W, C) → {"boxes", "scores", "classes", "count"}} of the `served` signatures."""

    def of_pictures(images):
        return {name: value.numpy() for name, value in served["serving_default"](image=tf.constant(images)).items()}

    def of_bytes(images):
        encoded = tf.stack([tf.io.encode_png(image) for image in images])
        return {name: value.numpy() for name, value in served["from_bytes"](bytes=encoded).items()}

    return {"serving_default": of_pictures} | ({"from_bytes": of_bytes} if "from_bytes" in served else {})


def disagreement(expected, given, facts):
    """(largest difference of a score, how far the score of another answer lies behind at most, share of equal answers).

    expected: decoded answers of the model to frames; given: the written file's. Answers of nearly equal scores may have
    changed places: an answer is another when none of its class has its corners within half a pixel, and equal when one
    overlaps by `LIKE`.
    """
    difference, behind, equal, count = 0.0, 0.0, 0, 0
    expected, given = {key: value.numpy() for key, value in expected.items()}, dict(given)
    height, width = facts.input_shape[:2]
    for part in (expected, given):  # a SavedModel cuts them, other formats do not
        part["boxes"] = np.clip(part["boxes"], 0, [width, height, width, height])
    for i in range(len(given["count"])):
        own, other = ({key: part[key][i] for key in PARTS[:3]} for part in (expected, given))
        for k in range(int(max(expected["count"][i], given["count"][i]))):
            count += 1
            difference = max(difference, float(abs(own["scores"][k] - other["scores"][k])))
            if "masks" in given:
                difference = max(difference, float(np.abs(expected["masks"][i, k] - given["masks"][i, k]).max()))
            kind = own["classes"] == other["classes"][k]
            near = np.abs(own["boxes"] - other["boxes"][k]).max(-1) < 0.5
            overlap = np.asarray(pairwise_iou(own["boxes"], other["boxes"][k : k + 1]))[:, 0]
            equal += bool((kind & (near | (overlap >= LIKE))).any())
            if not (kind & near).any():
                behind = max(behind, float(other["scores"][k]))
    return difference, behind, equal / count if count else 1.0
