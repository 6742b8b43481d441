"""Objects in the stream: boxes and outlines go where their picture goes, by the same matrix and displacement."""

import tensorflow as tf

from kcnn.boxes import areas
from kcnn.data.annotations import enclosing, transform_boxes
from kcnn.data.geometry import frame_matrix
from kcnn.data.instances import large_enough
from kcnn.data.mask_frames import MaskFrames
from kcnn.data.neighbourhood import displacement


class ObjectFrames:
    """The object source beside a picture source: `prepare` takes a batch of the plan, a call one sample of it.

    objects: `Objects`; sizes: int32 (N, 2), heights and widths of the upright pictures. Each picture has room for as
    many objects as the one that has most. `keys` are what it gives: boxes and classes, and masks if there are outlines.
    """

    def __init__(self, objects, sizes, frame, framing, augment):
        self.frame, self.framing, self.augment = tuple(frame), framing, augment
        self.elastic = augment is not None and augment.elastic > 0
        self.sizes = tf.constant(sizes)
        self.boxes, self.classes = tf.constant(objects.boxes), tf.constant(objects.classes)
        self.crowd, self.starts = tf.constant(objects.crowd), tf.constant(objects.starts)
        self.room = max(1, int(objects.counts.max(initial=0)))
        self.outlines = objects.outlines and MaskFrames(objects.outlines, frame, framing, augment)
        self.batched = not self.elastic and (self.outlines is None or self.outlines.batched)
        self.keys = ("boxes", "classes", *(["masks"] if self.outlines else []))

    def prepare(self, row):
        """{"boxes" (B, N, 4), "classes" (B, N), ...} of a batch of the plan, and what a sample's outlines need."""
        index = tf.maximum(row["index"], 0)
        boxes, classes = self._objects(index)
        matrices = frame_matrix(tf.gather(self.sizes, index), self.frame, self.framing, self.augment, row.get("draws"))
        found = {"boxes": boxes, "classes": classes, "object_matrix": matrices}
        if not self.elastic:
            found["boxes"], found["classes"] = self._seen(boxes, classes, matrices)
        if self.outlines is None:
            return found
        drawn = self.outlines.prepare(row)
        return found | {f"outline_{key}": value for key, value in drawn.items()}

    def __call__(self, row):
        boxes, classes = row["boxes"], row["classes"]
        if self.elastic:
            field = displacement(row["amounts"][0], self.frame[:2])  # of the program's first step
            boxes, classes = self._seen(boxes, classes, row["object_matrix"], field)
        found = {"boxes": boxes, "classes": classes}
        if self.outlines is None:
            return found
        own = {key: row[key] for key in ("index", "amounts") if key in row}
        own |= {key.removeprefix("outline_"): row[key] for key in row if key.startswith("outline_")}
        return found | {"masks": self.outlines(own)}

    def finished(self, row):
        """The same of a batch: outlines become bool masks (B, N, H, W), one an object."""
        found = {key: row[key] for key in ("boxes", "classes")}
        if self.outlines is None:
            return found
        drawn = row["masks"] if "masks" in row else row["outline_mask"]
        number = tf.range(1, self.room + 1, dtype=tf.int32)[:, None, None]
        masks = tf.cast(drawn, tf.int32)[:, None] == number
        return found | {"masks": masks & (found["classes"] >= 0)[..., None, None]}

    def _objects(self, index):
        """(boxes (B, N, 4), classes (B, N)) of pictures; crowds have no class, so that nothing is learned of them."""
        first = tf.gather(self.starts, index)[:, None]
        place = first + tf.range(self.room, dtype=tf.int64)
        there = place < tf.gather(self.starts, index + 1)[:, None]
        place = tf.minimum(place, tf.maximum(tf.size(self.classes, tf.int64) - 1, 0))
        boxes, classes, crowd = (
            (tf.gather(part, place) if len(part) else tf.zeros([*there.shape, *part.shape[1:]], part.dtype))
            for part in (self.boxes, self.classes, self.crowd)
        )
        there &= ~crowd
        return tf.where(there[..., None], boxes, 0.0), tf.where(there, classes, -1)

    def _seen(self, boxes, classes, matrices, field=None):
        """Boxes in the frame; those of which it shows too little have class -1."""
        seen = transform_boxes(boxes, matrices, self.frame, field)
        whole = areas(enclosing(boxes, tf.linalg.inv(matrices)))
        kept = large_enough(seen, whole) & (classes >= 0)
        return tf.where(kept[..., None], seen, 0.0), tf.where(kept, classes, -1)


def in_pictures(boxes, sizes, frame, framing):
    """Boxes float32 (B, N, 4) of the frame as boxes of its pictures of `sizes` (B, 2: height, width).

    Returns (cut to the pictures, uncut); over the uncut ones masks are stretched.
    """
    sizes = tf.cast(sizes, tf.float32)
    seen = enclosing(boxes, frame_matrix(sizes, frame, framing))
    return tf.clip_by_value(seen, 0.0, tf.tile(sizes[:, None, ::-1], [1, 1, 2])), seen
