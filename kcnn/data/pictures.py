"""Where the stream's pictures come from: one function from a row of the plan to pictures in their frame."""

import tensorflow as tf


class ArrayPictures:
    """Pictures of one array, a whole batch at a time."""

    batched = True

    def __init__(self, values, frame, augment):
        self.values, self.frame, self.augment = tf.constant(values), tuple(frame), augment

    def __call__(self, row):
        return tf.gather(self.values, tf.maximum(row["index"], 0))


def source(images, frame, framing, max_pixels, augment):
    """The picture source for `images`."""
    return ArrayPictures(images.values, frame, augment)
