"""What is done to pictures of a batch together, drawn from the samples' own numbers.

MixUp: Zhang et al. 2017. CutMix: Yun et al. 2019. Mosaic and copy-paste have files of their own. A sample's partners
are those after it in its batch, so they depend on the batch's sample numbers alone.
"""

import tensorflow as tf

from kcnn.data import draws as drawing
from kcnn.data.copy_paste import paste
from kcnn.data.erasing import spans
from kcnn.data.mosaic import join, mixed
from kcnn.errors import UserError

MIXERS = ("copy_paste", "mosaic", "mixup", "cutmix")


def mix(batch, num_classes, augment, draws):
    """A batch dict after copy-paste, mosaic, and MixUp or CutMix, as `augment` (recipe.Augment) says.

    With both MixUp and CutMix in the recipe, each picture gets one of them, drawn evenly. Of all but copy-paste a label
    becomes float32 (B, K), of the pictures by their shares and weights. Raises `UserError` for boxes with MixUp or
    CutMix, which only labels can follow.
    """
    if "boxes" in batch and (augment.mixup or augment.cutmix):
        raise UserError("augment.mixup and augment.cutmix are for labels, boxes cannot follow: use mosaic, copy_paste")
    if augment.copy_paste:
        batch = paste(batch, augment.copy_paste, draws)
    if not (augment.mosaic or augment.mixup or augment.cutmix):
        return batch
    if "label" in batch and batch["label"].shape.rank == 1:
        batch = {**batch, "label": tf.one_hot(batch["label"], num_classes)}
    if augment.mosaic:
        batch = join(batch, augment.mosaic, draws)
    return _in_pairs(batch, augment, draws) if augment.mixup or augment.cutmix else batch


def _in_pairs(batch, augment, draws):
    partner = {key: tf.roll(batch[key], -1, 0) for key in ("image", "label", "weight")}
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
    both = (tf.stack([batch[key], partner[key]], 1) for key in ("label", "weight"))
    label = mixed(*both, tf.stack([1 - share, share], 1))
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
