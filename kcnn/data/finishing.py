"""From pictures in their frame to a batch: labels, weights, and what is done to whole batches."""

import tensorflow as tf


def finisher(samples, frame, num_classes, augment):
    """A function (pictures, {"index", "draws"}) -> batch dict, for `samples` in `frame` (H, W, C)."""
    labels = tf.constant(samples.labels)
    weights = None if samples.weights is None else tf.constant(samples.weights)

    def finish(pictures, row):
        index = row["index"]
        place = tf.maximum(index, 0)
        weight = tf.ones(tf.shape(index), tf.float32) if weights is None else tf.gather(weights, place)
        batch = {"image": tf.ensure_shape(pictures, [None, *frame]), "label": tf.gather(labels, place)}
        return batch | {"weight": tf.where(index >= 0, weight, 0.0), "index": index}

    return finish
