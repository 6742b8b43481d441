"""Boxes, masks and keypoints through their picture's geometry: its matrix, and then its elastic displacement."""

import tensorflow as tf

from kcnn.data.geometry import transform_points
from kcnn.data.neighbourhood import centres
from kcnn.data.warping import sample

TRIES = 8  # steps of the search for where a displaced corner went


def transform_boxes(boxes, matrix, frame, displacement=None):
    """Boxes (N, 4) xyxy of a picture as boxes in the frame: what encloses their moved corners, cut to the frame.

    A box that leaves the frame has no area. `matrix` (3, 3) is that of `frame_matrix`, `displacement` (H, W, 2) that of
    `neighbourhood`; as it bends the sides between corners, a bent box may be a little tighter than what it holds.
    """
    x0, y0, x1, y1 = tf.unstack(boxes, axis=-1)
    corners = tf.stack([tf.stack(pair, -1) for pair in ((x0, y0), (x1, y0), (x0, y1), (x1, y1))], 1)
    moved = transform_points(tf.reshape(corners, [-1, 2]), tf.linalg.inv(matrix))
    moved = tf.reshape(_undisplaced(moved, displacement), [-1, 4, 2])
    limits = tf.constant([frame[1], frame[0]], tf.float32)
    low = tf.clip_by_value(tf.reduce_min(moved, 1), 0.0, limits)
    return tf.concat([low, tf.clip_by_value(tf.reduce_max(moved, 1), 0.0, limits)], -1)


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
    """A mask (H, W) of class numbers, or several (H, W, N), in the frame: the nearest pixel, `fill` outside."""
    return transform_mask_batch(mask[None], matrix[None], frame, fill, displacement)[0]


def transform_mask_batch(masks, matrices, frame, fill=0, displacement=None, aligned=False):
    """`transform_mask` of masks (B, H, W, ...), each under its own of `matrices` (B, 3, 3).

    `aligned`: rows stay rows under all of them, so that places are known by far fewer numbers.
    """
    size = tf.shape(masks)[1:3]
    look = _straight_places if aligned and displacement is None else _any_places
    rows, columns = look(matrices, frame[:2], displacement)
    inside = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
    first = tf.range(tf.shape(masks)[0])[:, None, None] * size[0]
    place = (first + tf.clip_by_value(rows, 0, size[0] - 1)) * size[1] + tf.clip_by_value(columns, 0, size[1] - 1)
    values = tf.gather(tf.reshape(masks, tf.concat([[-1], tf.shape(masks)[3:]], 0)), place)
    inside = tf.reshape(inside, tf.concat([tf.shape(inside), [1] * (masks.shape.rank - 3)], 0))
    return tf.where(inside, values, tf.cast(fill, masks.dtype))


def _straight_places(matrices, size, _):
    """int32 rows (B, H, 1) and columns (B, 1, W) of the pixels that the frame's show."""
    lines = (matrices[:, i, i, None] * (tf.range(n, dtype=tf.float32) + 0.5) + matrices[:, i, 2, None]
             for i, n in ((1, size[0]), (0, size[1])))  # fmt: skip
    rows, columns = (tf.cast(tf.floor(line), tf.int32) for line in lines)
    return rows[:, :, None], columns[:, None, :]


def _any_places(matrices, size, displacement):
    """The same, each (B, H, W). A displacement takes no place beyond the centres of the frame's outermost pixels."""
    places = centres(size)
    if displacement is not None:
        places = tf.clip_by_value(places + displacement, 0.5, tf.constant([size[1], size[0]], tf.float32) - 0.5)
    seen = transform_points(tf.reshape(places, [1, -1, 2]), matrices)
    columns, rows = tf.unstack(tf.reshape(tf.cast(tf.floor(seen), tf.int32), [-1, *size, 2]), axis=-1)
    return rows, columns
