"""Instances of a batch: objects that follow what is done to their picture.

Of a dense batch: `boxes` float32 (B, N, 4) xyxy in pixels and `classes` int32 (B, N), -1 where there is none; if the
data has them also `masks`, bool or uint8 (B, N, H, W), and `keypoints` float32 (B, N, K, 3): x, y and, as COCO counts,
0 where there is none, 1 for a hidden one and 2 for one that is seen.
"""

import tensorflow as tf

KEYS = ("boxes", "classes", "masks", "keypoints")
VISIBLE = 0.15  # share of a box's area that must be seen for it to be learned
SMALLEST = 1.0  # pixels of its shorter side


def instances_of(batch):
    """The part of the dict `batch` that is about instances."""
    return {key: batch[key] for key in KEYS if key in batch}


def joined(parts, keep):
    """The instances of all `parts` that `keep`, a bool (B, N) for each part, says: first and in order, then padding."""
    keep = tf.concat(keep, 1)
    order = tf.argsort(tf.cast(~keep, tf.int32), axis=1, stable=True)
    kept = tf.gather(keep, order, batch_dims=1)
    packed = {}
    for key in parts[0]:
        values = tf.gather(tf.concat([part[key] for part in parts], 1), order, batch_dims=1)
        stays = tf.reshape(kept, tf.concat([tf.shape(kept), tf.ones([values.shape.rank - 2], tf.int32)], 0))
        packed[key] = tf.where(stays, values, tf.cast(-1 if key == "classes" else 0, values.dtype))
    return packed


def cut(boxes, low, high):
    """Boxes (B, N, 4) cut to the corners `low` and `high` (..., 2) x, y; one that lies outside has no area."""
    first = tf.maximum(boxes[..., :2], low)
    return tf.concat([first, tf.maximum(tf.minimum(boxes[..., 2:], high), first)], -1)


def large_enough(boxes, whole):
    """bool (B, N): whether boxes (B, N, 4) show enough of what had the areas `whole` (B, N) to be learned."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return (areas(boxes) >= VISIBLE * whole) & (tf.reduce_min(sides, -1) >= SMALLEST)


def areas(boxes):
    """Areas (B, N) of boxes (B, N, 4)."""
    return tf.reduce_prod(boxes[..., 2:] - boxes[..., :2], -1)


def boxes_of(masks):
    """The smallest boxes (B, N, 4) around what is set in bool masks (B, N, H, W); without area where nothing is."""
    ends = []
    for axis in (2, 3):  # which is summed up: what is left are columns, then rows
        line = tf.cast(tf.reduce_any(masks, axis), tf.int32)
        first = tf.argmax(line, -1, tf.int32)
        count = line.shape[-1] - tf.argmax(line[..., ::-1], -1, tf.int32) - first
        ends.append((first, first + count * tf.reduce_max(line, -1)))
    (x0, x1), (y0, y1) = ends
    return tf.cast(tf.stack([x0, y0, x1, y1], -1), tf.float32)
