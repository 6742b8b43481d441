"""What is asked of a detector when one of its boxes is explained."""

import tensorflow as tf

from kcnn.boxes import pairwise_iou


def box_question(head, box, kind):
    """A function from raw outputs of a detector with this `head` to (B,): what speaks for `box` (4,) of class `kind`.

    That is the largest score of the class of any place, times the IoU of its box with this one (the similarity of
    Petsiuk et al. 2021, Black-box explanation of object detectors via saliency maps). `box` is in pixels of the frame.
    """
    box = tf.reshape(tf.cast(box, tf.float32), (1, 1, 4))

    def ask(outputs):
        boxes, scores = head.scored(outputs)
        overlap = tf.stop_gradient(pairwise_iou(boxes, tf.tile(box, [tf.shape(boxes)[0], 1, 1]))[..., 0])
        return tf.reduce_max(scores[..., kind] * overlap, -1)

    return ask
