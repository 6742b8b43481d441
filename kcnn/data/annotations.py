"""Boxes, masks and keypoints through their picture's geometry: its matrix, and then its elastic displacement."""

import tensorflow as tf

from kcnn.data.geometry import transform_points
from kcnn.data.neighbourhood import centres
from kcnn.data.warping import sample

TRIES = 8  # steps of the search for where a displaced corner went


def transform_boxes(boxes, matrix, frame, displacement=None):
    """Boxes (..., N, 4) xyxy of a picture as boxes in the frame: what encloses their moved corners, cut to the frame.

    A box that leaves the frame has no area. `matrix` (..., 3, 3) is that of `frame_matrix`, `displacement` (H, W, 2),
    of one picture, that of `neighbourhood`; as it bends the sides between corners, a bent box may be a little tighter
    than what it holds.
    """
    moved = enclosing(boxes, tf.linalg.inv(matrix), lambda points: _undisplaced(points, displacement))
    limits = tf.constant([frame[1], frame[0]] * 2, tf.float32)
    return tf.clip_by_value(moved, 0.0, limits)


def enclosing(boxes, matrix, then=lambda points: points):
    """Boxes (..., N, 4) around the corners of `boxes` (..., N, 4) under `matrix` (..., 3, 3), and then `then`."""
    x0, y0, x1, y1 = tf.unstack(boxes, axis=-1)
    corners = tf.stack([tf.stack(pair, -1) for pair in ((x0, y0), (x1, y0), (x0, y1), (x1, y1))], -2)
    shape = tf.shape(corners)
    moved = transform_points(tf.reshape(corners, tf.concat([shape[:-3], [-1, 2]], 0)), matrix)
    moved = tf.reshape(then(moved), shape)
    return tf.concat([tf.reduce_min(moved, -2), tf.reduce_max(moved, -2)], -1)


def _undisplaced(points, displacement):
    """Where the displaced frame shows `points` (N, 2) of the frame before: p with p + displacement(p) = point."""
    place = points
    for _ in range(TRIES if displacement is not None else 0):
        place = points - sample(displacement, place[:, None])[:, 0]
    return place


def transform_keypoints(keypoints, matrix, frame, displacement=None):
    """Keypoints (N, K, 3) of a picture, x, y and visibility as in `instances`, as keypoints in the frame.

    One that leaves the frame is none: three zeros.
    """
    moved = transform_points(tf.reshape(keypoints[..., :2], [-1, 2]), tf.linalg.inv(matrix))
    moved = tf.reshape(_undisplaced(moved, displacement), tf.shape(keypoints[..., :2]))
    limits = tf.constant([frame[1], frame[0]], tf.float32)
    there = tf.reduce_all((moved >= 0) & (moved < limits), -1, keepdims=True) & (keypoints[..., 2:] > 0)
    return tf.where(there, tf.concat([moved, keypoints[..., 2:]], -1), 0.0)


def transform_masks(masks, matrix, frame, displacement=None):
    """Instance masks (N, H, W), bool or uint8, as seen in the frame, (N, *frame[:2]); nothing outside the picture."""
    together = transform_mask(tf.transpose(masks, [1, 2, 0]), matrix, frame, False, displacement)
    return tf.transpose(together, [2, 0, 1])


def transform_mask(mask, matrix, frame, fill=0, displacement=None):
    """A mask (H, W) of class numbers, or several (H, W, N), in the frame: the nearest pixel, `fill` outside.

    A displacement takes no place beyond the centres of the frame's outermost pixels, as it does with pictures.
    """
    size = tuple(frame[:2])
    places = centres(size)
    if displacement is not None:
        places = tf.clip_by_value(places + displacement, 0.5, tf.constant(size[::-1], tf.float32) - 0.5)
    seen = transform_points(tf.reshape(places, [-1, 2]), matrix)
    columns, rows = tf.unstack(tf.cast(tf.floor(seen), tf.int32), axis=-1)
    height, width = tf.unstack(tf.shape(mask)[:2])
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    place = tf.clip_by_value(rows, 0, height - 1) * width + tf.clip_by_value(columns, 0, width - 1)
    values = tf.gather(tf.reshape(mask, tf.concat([[-1], tf.shape(mask)[2:]], 0)), place)
    inside = tf.reshape(inside, [-1, *[1] * (mask.shape.rank - 2)])
    seen = tf.where(inside, values, tf.cast(fill, mask.dtype))
    return tf.reshape(seen, tf.concat([size, tf.shape(mask)[2:]], 0))
