"""Mosaic: four pictures of a batch meet at a random point of one.

Bochkovskiy et al. 2020 (YOLOv4). Each picture keeps its scale and lies with a corner at that point, so that no pixel is
computed anew; zoom out with augment.scale to see more of each.
"""

import tensorflow as tf

from kcnn.data import draws as drawing
from kcnn.data.instances import areas, cut, instances_of, joined, large_enough

CENTRE = (0.25, 0.75)  # between which shares of the side the point lies


def join(batch, probability, draws):
    """A batch dict where each picture, with `probability`, is joined with the three that follow it.

    The picture itself lies above and left of the point, the next one right of it, the others below. `label` float32
    (B, K) and `weight` become means by the shares of the area, labels by their weights too. `mask`, boxes, instance
    masks and keypoints follow: N places for instances become 4N, what leaves its part is cut, and what has nothing
    left is dropped.
    """
    height, width = batch["image"].shape[1:3]
    chosen = drawing.slot(draws, "mosaic") < probability
    point = [_point(chosen, draws, "mosaic_y", height), _point(chosen, draws, "mosaic_x", width)]
    own = tf.range(tf.shape(chosen)[0])[:, None]
    partner = (own + tf.where(chosen[:, None], tf.range(4), 0)) % tf.shape(own)[0]  # (B, 4)
    pick = _picker(partner, point, height, width)
    shares = [tf.cast(at, tf.float32) / side for at, side in zip(point, (height, width), strict=True)]
    down, across = (tf.stack([share, 1 - share], -1) for share in shares)
    share = tf.reshape(down[:, :, None] * across[:, None, :], [-1, 4])
    made = {**batch, "image": pick(batch["image"])}
    made["weight"] = tf.reduce_sum(share * tf.gather(batch["weight"], partner), 1)
    if "label" in batch:
        made["label"] = mixed(*(tf.gather(batch[key], partner) for key in ("label", "weight")), share)
    if "mask" in batch:
        made["mask"] = pick(batch["mask"])
    return made | (_instances(batch, partner, point, height, width) if "boxes" in batch else {})


def mixed(labels, weights, shares):
    """Labels (B, K) of P parts: `labels` (B, P, K) by `weights` times `shares`, each (B, P).

    So the loss is that of the parts, each by its share and its own weight: what weighs nothing gives no label. Where no
    part weighs anything, shares alone count.
    """
    parts = weights * shares
    parts = tf.where(tf.reduce_sum(parts, 1, keepdims=True) > 0, parts, shares)
    parts /= tf.reduce_sum(parts, 1, keepdims=True)
    return labels[:, 0] + tf.reduce_sum(parts[..., None] * (labels - labels[:, :1]), 1)  # what all agree on is exact


def _point(chosen, draws, name, side):
    """int32 (B,): where the pictures meet; 0 for one that stays as it is: all of it is then its fourth part."""
    return tf.where(chosen, tf.cast(tf.round(drawing.between(draws, name, *CENTRE) * side), tf.int32), 0)


def _picker(partner, point, height, width):
    """A function (B, H, W, ...) → the same of the mosaics. All four parts are turned round by the point, and chosen."""
    rows, columns = tf.range(height) - point[0][:, None], tf.range(width) - point[1][:, None]
    part = 2 * tf.cast(rows >= 0, tf.int32)[:, :, None] + tf.cast(columns >= 0, tf.int32)[:, None, :]
    place = tf.gather(partner, part, batch_dims=1) * (height * width)
    place += (rows % height * width)[:, :, None] + (columns % width)[:, None, :]

    def pick(values):
        flat = tf.reshape(values, tf.concat([[-1], tf.shape(values)[3:]], 0))
        return tf.ensure_shape(tf.gather(flat, place), values.shape)

    return pick


def _instances(batch, partner, point, height, width):
    parts, keeps = [], []
    at, size = tf.stack([point[1], point[0]], -1)[:, None], tf.constant([width, height])  # x, y from here on
    for number in range(4):
        later = tf.constant([number % 2, number // 2])  # whether right of the point, and below it
        low, high = later * at, tf.where(later == 1, size, at)
        part = {key: tf.gather(value, partner[:, number]) for key, value in instances_of(batch).items()}
        shift = tf.cast(at - (1 - later) * size, tf.float32)
        limits = [tf.cast(corner, tf.float32) for corner in (low, high)]
        before = areas(part["boxes"])
        part["boxes"] = cut(part["boxes"] + tf.tile(shift, [1, 1, 2]), *limits)
        keep = (part["classes"] >= 0) & large_enough(part["boxes"], before)
        if "masks" in part:
            part["masks"] = _moved(part["masks"], at, low, high, height, width)
            keep &= tf.reduce_any(tf.cast(part["masks"], tf.bool), [2, 3])
        if "keypoints" in part:
            part["keypoints"] = _shifted(part["keypoints"], shift, *limits)
        parts.append(part)
        keeps.append(keep)
    return joined(parts, keeps)


def _moved(masks, at, low, high, height, width):
    for axis, side in ((1, height), (0, width)):
        places = tf.range(side) - at[:, 0, axis, None]
        masks = tf.gather(masks, places % side, axis=3 - axis, batch_dims=1)
        inside = (tf.range(side) >= low[:, 0, axis, None]) & (tf.range(side) < high[:, 0, axis, None])
        inside = tf.cast(inside, tf.uint8)[:, None]
        inside = inside[:, :, None] if axis == 0 else inside[..., None]
        masks = tf.cast(tf.cast(masks, tf.uint8) * inside, masks.dtype)
    return masks


def _shifted(keypoints, shift, low, high):
    places = keypoints[..., :2] + shift[:, :, None]
    inside = tf.reduce_all((places >= low[:, :, None]) & (places < high[:, :, None]), -1, keepdims=True)
    seen = keypoints[..., 2:] > 0
    return tf.where(inside & seen, tf.concat([places, keypoints[..., 2:]], -1), 0.0)
