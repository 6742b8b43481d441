"""Masks in the stream: each goes where its picture goes, by the same matrix and the same displacement."""

import tensorflow as tf

from kcnn.data.annotations import transform_mask
from kcnn.data.geometry import frame_matrix, is_still
from kcnn.data.mask_values import mask_sizes
from kcnn.data.neighbourhood import displacement
from kcnn.data.samples import Arrays
from kcnn.data.warping import warp_masks
from kcnn.masks import IGNORE


class MaskFrames:
    """The mask source beside a picture source: `prepare` takes a batch of the plan, a call one sample of it.

    With `batched` masks of one array the work is done by `prepare`; what no frame of (H, W, C) shows stays as it is.
    """

    def __init__(self, masks, frame, framing, augment):
        self.frame, self.framing, self.augment = tuple(frame), framing, augment
        self.elastic = augment is not None and augment.elastic > 0
        self.batched = isinstance(masks, Arrays) and not self.elastic
        whole = isinstance(masks, Arrays)
        self.values = tf.constant(masks.values if whole else list(masks), tf.uint8 if whole else tf.string)
        self.encoded, self.moves = not whole, len(frame) == 3
        if self.moves:
            self.sizes = tf.constant(mask_sizes(masks))
            same = whole and masks.values.shape[1:3] == self.frame[:2]
            self.moves = not (same and is_still(augment) and not self.elastic)

    def prepare(self, row):
        """{"mask"} (B, *frame[:-1]) of a batch of the plan, or the {"mask_matrix"} by which each is then seen."""
        index = tf.maximum(row["index"], 0)
        if not self.moves:
            return {"mask": tf.gather(self.values, index)}
        sizes = tf.gather(self.sizes, index)
        matrices = frame_matrix(sizes, self.frame, self.framing, self.augment, row.get("draws"))
        if not self.batched:
            return {"mask_matrix": matrices}
        return {"mask": warp_masks(tf.gather(self.values, index), matrices, self.frame[:2], IGNORE)}

    def __call__(self, row):
        if "mask" in row:
            return row["mask"]
        mask = self.values[tf.maximum(row["index"], 0)]
        if self.encoded:
            mask = tf.io.decode_png(mask, channels=1)[..., 0]
        if self.elastic:
            field = displacement(row["amounts"][0], self.frame[:2])  # of the program's first step
            return transform_mask(mask, row["mask_matrix"], self.frame, IGNORE, field)
        return warp_masks(mask[None], row["mask_matrix"][None], self.frame[:2], IGNORE)[0]
