"""What is done to pictures in pairs: MixUp and CutMix, drawn from the samples' own numbers.

MixUp: Zhang et al. 2017. CutMix: Yun et al. 2019. A sample's partner is the next one of its
batch, so it depends on the batch's sample numbers alone.
"""

import tensorflow as tf

from kcnn.data import draws as drawing
from kcnn.data.erasing import spans


def mix(batch, num_classes, augment, draws):
    """A batch dict with MixUp or CutMix done to every picture; its label becomes float32 (B, K).

    With both in the recipe, each picture gets one of them, drawn evenly.
    """
    labels = batch["label"] if batch["label"].shape.rank == 2 else tf.one_hot(batch["label"], num_classes)
    partner = {key: tf.roll(value, -1, 0) for key, value in {**batch, "label": labels}.items()}
    share = tf.zeros_like(batch["weight"])  # of the partner, in label and weight
    pictures = batch["image"]
    blends = drawing.slot(draws, "mix_kind") < 0.5 if augment.mixup and augment.cutmix else None
    if augment.mixup:
        drawn = drawing.beta(drawing.slot(draws, "mix_share"), augment.mixup)
        share = drawn if blends is None else tf.where(blends, drawn, share)
        pictures = _blend(pictures, partner["image"], share)
    if augment.cutmix:
        drawn = drawing.beta(drawing.slot(draws, "mix_share"), augment.cutmix)
        inside = _patch(drawn if blends is None else tf.where(blends, 0.0, drawn), draws, *pictures.shape[1:3])
        pictures = tf.where(inside[..., None], partner["image"], pictures)
        share = share + tf.reduce_mean(tf.cast(inside, tf.float32), [1, 2])
    label = labels + share[:, None] * (partner["label"] - labels)
    weight = batch["weight"] + share * (partner["weight"] - batch["weight"])
    return {**batch, "image": pictures, "label": label, "weight": weight}


def _blend(pictures, partners, share):
    share = share[:, None, None, None]
    own = tf.cast(pictures, tf.float32)
    mixed = own + share * (tf.cast(partners, tf.float32) - own)
    return tf.cast(tf.round(mixed), tf.uint8) if pictures.dtype == tf.uint8 else mixed


def _patch(share, draws, height, width):
    """bool (B, H, W): a rectangle of the picture's shape and of `share` of its area, cut at the borders."""
    side = tf.sqrt(share)
    sides = [side * height, side * width]
    corners = [
        drawing.slot(draws, "mix_y") * height - sides[0] / 2,
        drawing.slot(draws, "mix_x") * width - sides[1] / 2,
    ]
    rows, columns = spans(corners, sides, (height, width))
    return rows[:, :, None] & columns[:, None, :]
