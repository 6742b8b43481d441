"""How a box is written down: by corners, as everywhere in kcnn, or otherwise, as files and losses want it."""

import keras
from keras import ops


def converted(boxes, source, target, height=None, width=None):
    """Boxes (..., 4) from one of Keras's formats to another: "xyxy", "xywh", "center_xywh", "rel_xyxy", "yxyx" …

    height, width: of the picture in pixels, for those that start with "rel". Raises `ValueError` for an unknown format.
    """
    dtype = keras.backend.result_type(boxes.dtype, "float32")
    return keras.utils.bounding_boxes.convert_format(boxes, source, target, height, width, dtype)


def centre_size(boxes):
    """(centres (..., 2) x, y; sizes (..., 2) width, height) of boxes (..., 4)."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]


def corners(centres, sizes):
    """Boxes (..., 4) of `centres` (..., 2) x, y and `sizes` (..., 2) width, height: `centre_size` undone."""
    return ops.concatenate([centres - sizes / 2, centres + sizes / 2], -1)


def clipped(boxes, height, width):
    """Boxes (..., 4) cut to a picture of `height` and `width` pixels; one that lies outside has no area."""
    limits = ops.cast(ops.stack([width, height, width, height]), boxes.dtype)
    return ops.clip(boxes, 0, limits)
