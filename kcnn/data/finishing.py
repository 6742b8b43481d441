"""From pictures in their frame to a batch: labels, weights, and what is done to whole batches."""

import tensorflow as tf

from kcnn.data.erasing import cut_out, erase, mask_grid
from kcnn.data.mixers import MIXERS, mix
from kcnn.data.program import COLOUR
from kcnn.errors import UserError

BLANKS = {"erasing": erase, "cutout": cut_out, "grid_mask": mask_grid}


def finisher(samples, frame, num_classes, augment, objects=None):
    """A function (pictures, {"index", "draws"}) -> batch dict, for `samples` in `frame` (H, W, C).

    objects: the `ObjectFrames` of samples with objects.

    Raises UserError where `augment` (recipe.Augment or None) asks for what the data cannot have.
    """
    labels = tf.constant(samples.labels)
    weights = None if samples.weights is None else tf.constant(samples.weights)
    if augment is not None:
        _refuse_impossible(samples, frame, augment)
    fill = 0 if augment is None else augment.fill
    mixed = augment is not None and any(getattr(augment, name) for name in MIXERS)
    if samples.is_float:
        fill = samples.images.values.mean(tuple(range(samples.images.values.ndim - 1)))

    def finish(pictures, row):
        index = row["index"]
        place = tf.maximum(index, 0)
        weight = tf.ones(tf.shape(index), tf.float32) if weights is None else tf.gather(weights, place)
        pictures = tf.ensure_shape(pictures, [None, *frame])
        batch = {"weight": tf.where(index >= 0, weight, 0.0), "index": index}
        if objects is not None:
            batch |= objects.finished(row)
        elif samples.masks is None:
            batch["label"] = tf.gather(labels, place)
        else:
            batch["mask"] = tf.ensure_shape(row["mask"], [None, *frame[:-1]])
        if augment is None:
            return {"image": pictures, **batch}
        for name, blank in BLANKS.items():
            if getattr(augment, name):
                pictures = blank(pictures, getattr(augment, name), fill, row["draws"])
        batch = {"image": pictures, **batch}
        return mix(batch, num_classes, augment, row["draws"]) if mixed else batch

    return finish


def _refuse_impossible(samples, frame, augment):
    for name in COLOUR if samples.is_float else ():
        if getattr(augment, name):
            way_out = "switch it off (none)" if name in ("policy", "steps") else "set it to 0"
            raise UserError(
                f"augment.{name} needs 8-bit pictures and the data is {samples.images.values.dtype}: {way_out}"
            )
    for name in (*BLANKS, *MIXERS):
        if getattr(augment, name) and len(frame) != 3:
            raise UserError(f"augment.{name} needs pictures (H, W, C), not data of shape {tuple(frame)}: set it to 0")
    outlined = samples.masks is not None or samples.objects is not None and samples.objects.outlines is not None
    if augment.copy_paste and not outlined:
        raise UserError("augment.copy_paste needs masks or outlines, and this data has none: set it to 0")
    placed = "boxes" if samples.objects is not None else "masks" if samples.masks is not None else None
    for name in ("mixup", "cutmix") if placed else ():
        if getattr(augment, name):
            raise UserError(
                f"augment.{name} mixes labels, which {placed} cannot follow: set it to 0; augment.mosaic can"
            )
