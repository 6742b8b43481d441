"""What a SavedModel of a segmenter answers: masks of pictures of any size, with class names and colours inside."""

import numpy as np
import tensorflow as tf

from kcnn.answers import whole_mask
from kcnn.data import pictures_as_png
from kcnn.exporting.batches import at_least_one
from kcnn.masks import colours


class Program:
    """The functions behind the signatures, see `saved_model`."""

    def __init__(self, model, head, facts):
        self.model, self.head, self.facts = model, head, facts
        self.names = tf.constant(facts.class_names)

    def signatures(self, dtype, takes_bytes):
        """{name: tf.function} for images of `dtype`."""
        flat = len(self.facts.input_shape) == 3
        shape = (None, None, self.facts.input_shape[-1]) if flat else self.facts.input_shape
        answer = self.of_pictures if flat else self.of_data
        image = tf.TensorSpec((None, *shape), dtype, name="image")
        found = {
            "serving_default": tf.function(answer, input_signature=[image]),
            "class_names": tf.function(self.class_names, input_signature=[]),
        }
        if takes_bytes:
            encoded = tf.TensorSpec((None,), tf.string, name="bytes")
            found["from_bytes"] = tf.function(self.of_bytes, input_signature=[encoded])
        return found

    def of_pictures(self, image):
        """{"mask": (B, H, W) uint8, "score": (B, H, W) float32} of pictures (B, H, W, C) of one size, any.

        Data of their rank are seen as they are; one after another, as the maps of one may be large.
        """
        kinds = tf.TensorSpec([None, None], tf.uint8), tf.TensorSpec([None, None], tf.float32)
        some = at_least_one(image)
        mask, score = tf.map_fn(self._whole, some, parallel_iterations=1, fn_output_signature=kinds)
        return self._of_batch(image, mask, score)

    def of_data(self, image):
        """The same of signals and volumes, of the size that the signature states."""
        found = self.head.decode(self.model(at_least_one(tf.cast(image, tf.float32)), training=False))
        return self._of_batch(image, found["mask"], found["score"])

    def of_bytes(self, encoded):
        """{"png_bytes": (N,) grey PNGs of class numbers, each of its picture's size, "score": (N,) mean scores}.

        An item that is no picture has the PNG "" and score 0, and leaves its neighbours alone.
        """
        facts = self.facts
        pictures, ok = pictures_as_png(encoded, facts.input_shape[-1], facts.max_pixels)

        def one(picture):
            mask, score = self._whole(tf.io.decode_png(picture, channels=facts.input_shape[-1]))
            return tf.io.encode_png(mask[..., None]), tf.reduce_mean(score)

        kinds = tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.float32)
        png, score = tf.map_fn(one, pictures, parallel_iterations=1, fn_output_signature=kinds)
        return {"png_bytes": tf.where(ok, png, ""), "score": tf.where(ok, score, 0.0)}

    def class_names(self):
        """{"class_names": (K,), "colours": (K, 3) uint8}"""
        return {"class_names": self.names, "colours": tf.constant(colours(self.facts.num_classes))}

    def _of_batch(self, image, mask, score):
        """The answers to `image` alone, without that to what stands for an empty batch."""
        count, sides = tf.shape(image)[0], tf.shape(image)[1:-1]
        shape = tf.concat([[count], sides], 0)
        return {"mask": tf.reshape(mask[:count], shape), "score": tf.reshape(score[:count], shape)}

    def _whole(self, picture):
        return whole_mask(self.model, self.head, self.facts, picture)


def load(served):
    """{signature: images (N, H, W, C) → {"mask", "score"}} of the `served` signatures."""

    def of_pictures(images):
        return {name: value.numpy() for name, value in served["serving_default"](image=tf.constant(images)).items()}

    def of_bytes(images):
        encoded = tf.stack([tf.io.encode_png(image) for image in images])
        pngs = served["from_bytes"](bytes=encoded)["png_bytes"].numpy()
        return {"mask": np.stack([tf.io.decode_png(png)[..., 0] for png in pngs])}

    return {"serving_default": of_pictures} | ({"from_bytes": of_bytes} if "from_bytes" in served else {})


def disagreement(expected, given, facts):
    """(largest difference of a score, how far a given class lies behind the best one at most, share of equal places).

    expected: decoded answers of the model; given: {"mask"}, and "score" where the way to ask gives it for each place.
    """
    scores = expected["scores"].numpy()
    own = np.take_along_axis(scores, given["mask"][..., None].astype(np.int64), -1)[..., 0]
    difference = np.abs(given["score"] - scores.max(-1)).max() if "score" in given else 0.0
    return (
        float(difference),
        float((scores.max(-1) - own).max()),
        float((given["mask"] == expected["mask"].numpy()).mean()),
    )
