"""Copy-paste: objects of the next picture of a batch are put, by their masks, into this one.

Ghiasi et al. 2021. Objects keep place and scale (the paper's large jitter is augment.scale), and edges are not blended,
which the paper found to be as good. Of masks of classes, all that has a class is one object (Olsson et al. 2021,
ClassMix), and class 0 is what is around.
"""

import tensorflow as tf

from kcnn.data import draws as drawing
from kcnn.data.instances import areas, boxes_of, cut, instances_of, joined
from kcnn.masks import IGNORE

HIDDEN = 0.1  # an object of which no larger share is left is dropped
CHANCE = 0.5  # that an object of the next picture is pasted


def paste(batch, probability, draws):
    """A batch dict where each picture, with `probability`, gets some of the objects of the next one.

    With "masks" these are instances, see `paste_instances`; else what the "mask" (B, H, W) gives a class above 0.
    """
    return (paste_instances if "masks" in batch else paste_classes)(batch, probability, draws)


def paste_classes(batch, probability, draws):
    """`image` and `mask` with the places of some of the next picture's classes; 0 and what is not judged stay there."""
    source = {key: tf.roll(batch[key], -1, 0) for key in ("image", "mask")}
    number = tf.range(IGNORE + 1)
    chosen = (drawing.slot(draws, "paste") < probability)[:, None] & (number > 0) & (number < IGNORE)
    chosen &= drawing.many(draws, "paste_which", IGNORE + 1) < CHANCE
    over = tf.gather(chosen, tf.cast(source["mask"], tf.int32), batch_dims=1)
    image = tf.where(over[..., None], source["image"], batch["image"])
    return {**batch, "image": image, "mask": tf.where(over, source["mask"], batch["mask"])}


def paste_instances(batch, probability, draws):
    """A batch dict with boxes, classes and masks where each picture, with `probability`, gets some of the next one's.

    N places for instances become 2N: its own, then the pasted ones. What these hide is taken out of masks, boxes and
    keypoints (which become hidden) of the picture's own objects; those nearly hidden are dropped. `mask` shows what is
    pasted; `label` stays, as it is the picture's.
    """
    own = instances_of(batch) | {"masks": tf.cast(batch["masks"], tf.bool)}
    source = {key: tf.roll(batch[key], -1, 0) for key in (*instances_of(batch), "image", "mask") if key in batch}
    count = own["classes"].shape[1]
    chosen = (drawing.slot(draws, "paste") < probability)[:, None] & (source["classes"] >= 0)
    chosen &= drawing.many(draws, "paste_which", count) < CHANCE
    pasted = instances_of(source) | {"masks": tf.cast(source["masks"], tf.bool) & chosen[..., None, None]}
    over = tf.reduce_any(pasted["masks"], 1)
    own, keep = _behind(own, over)
    made = joined([own, {key: pasted[key] for key in own}], [keep, chosen])
    made["masks"] = tf.cast(made["masks"], batch["masks"].dtype)
    made["image"] = tf.where(over[..., None], source["image"], batch["image"])
    if "mask" in batch:
        made["mask"] = tf.where(over, source["mask"], batch["mask"])
    return {**batch, **made}


def _behind(own, over):
    """(instances behind what is set in `over` (B, H, W), which of them are still there)."""
    left = own["masks"] & ~over[:, None]
    before, after = (tf.reduce_sum(tf.cast(masks, tf.float32), [2, 3]) for masks in (own["masks"], left))
    seen = boxes_of(left)
    boxes = tf.where((after < before)[..., None], cut(own["boxes"], seen[..., :2], seen[..., 2:]), own["boxes"])
    there = (own["classes"] >= 0) & ((after == before) | ((after > HIDDEN * before) & (areas(boxes) > 0)))
    made = own | {"masks": left, "boxes": boxes}
    if "keypoints" in own:
        made["keypoints"] = _hidden(own["keypoints"], over)
    return made, there


def _hidden(keypoints, over):
    """The keypoints, where those that are seen and lie under `over` become hidden ones."""
    size = tf.constant(over.shape[:0:-1])  # width, height
    places = tf.clip_by_value(tf.cast(tf.floor(keypoints[..., :2]), tf.int32), 0, size - 1)
    under = tf.gather_nd(over, places[..., ::-1], batch_dims=1)
    seen = tf.where(under, tf.minimum(keypoints[..., 2], 1.0), keypoints[..., 2])
    return tf.concat([keypoints[..., :2], seen[..., None]], -1)
