"""Masks of pictures of any size, each at the picture's own size.

A picture, and other data of its rank, is seen whole, at the scale of training; one that is large even there, in
overlapping tiles whose scores are blended. Signals and volumes are seen as they are.
"""

from functools import cached_property
from pathlib import Path

import numpy as np
import tensorflow as tf

from kcnn import data, evaluation
from kcnn.answers.drawing import write_mask
from kcnn.answers.naming import name_of, stems_of, why_unread
from kcnn.errors import UserError

MOST_WHOLE = 1 << 20  # pixels at the scale of training: above, a picture is seen in tiles
TILE, OVERLAP, GRID = 512, 128, 32
TOGETHER = 16  # frames, whose scores are many numbers


class MaskAnswers:
    """Answers of a `model` whose head gives scores (B, places…, K)."""

    def __init__(self, model, head, facts):
        self.model, self.head, self.facts = model, head, facts
        self.of_pictures = not facts.measured and len(facts.input_shape) == 3 and facts.input_shape[-1] in (1, 3)

    def predict(self, items, top, out=None):
        """A dict for each of `items`: name, label, mask, score, top [(class, share of the places), …], or an error.

        mask uint8 of the picture's own size; label: see `leading`; score: the mean of the best class's over all places;
        top: so many classes, those with most places first. out: a folder for `write_mask`, whose files are then named.
        """
        stems = stems_of(items) if out is not None else [None] * len(items)
        return [self._described(item, top, out, stem) for item, stem in zip(items, stems, strict=True)]

    def scores(self, frames):
        """The mean scores (N, K) over the places of `frames` (N, H, W, C)."""
        parts = (frames[i : i + TOGETHER] for i in range(0, len(frames), TOGETHER))
        places = tuple(range(1, len(self.facts.input_shape)))
        return np.concatenate([np.mean(self._graph(part)["scores"], places) for part in parts])

    def seen(self, frame):
        """The index of the class that most places of one frame (H, W, C) have, beside class 0 if there is another."""
        return leading(np.asarray(self._graph(frame[None])["mask"])[0])

    @cached_property
    def _graph(self):
        return evaluation.answer(self.model, self.head)

    @cached_property
    def _whole(self):
        picture = tf.TensorSpec((None, None, self.facts.input_shape[-1]), tf.uint8 if self.of_pictures else tf.float32)
        return tf.function(
            lambda picture: whole_mask(self.model, self.head, self.facts, picture), input_signature=[picture]
        )

    def _answered(self, item):
        """(picture, mask, score of each place, None) of one picture, or the reason why it cannot be read."""
        if len(self.facts.input_shape) != 3:
            return self._of_data(item)
        if not self.of_pictures:
            return (picture := self._array(item)), *self._seen(picture), None
        picture = data.read_whole(item, self.facts.input_shape[-1], self.facts.max_pixels)
        return why_unread(item) if picture is None else (picture, *self._seen(picture), None)

    def _seen(self, picture):
        """(mask, score of each place), each (h, w), of a `picture` (h, w, C), or of other data of its rank."""
        size = seen_size(self.model, self.facts, picture.shape[:2])
        if not takes_any_size(self.model) or np.prod(size) <= MOST_WHOLE:
            return tuple(part.numpy() for part in self._whole(picture))
        seen = data.resized(tf.constant(picture), size).numpy()
        parts = evaluation.tiled(lambda tiles: self._graph(tiles)["scores"], seen, TILE, OVERLAP, GRID)
        return tuple(_nearest(part, picture.shape[:2]) for part in parts)

    def _of_data(self, item):
        """The same of a signal or volume in an array, or of a volume in a NIfTI file, whose `Scan` comes last."""
        scan = None
        if isinstance(item, (str, Path)) and len(self.facts.input_shape) == 4:
            scan = data.scan_of(item)
            item = scan if isinstance(scan, str) else data.voxels_of(scan)
            wrong = item if isinstance(item, str) else self._misfit(item.shape)
            if wrong:
                return wrong
        item = self._array(item)
        if wrong := self._misfit(item.shape):
            raise UserError(f"an array {wrong}")
        found = self._graph(item[None])
        return item, found["mask"][0].numpy(), found["score"][0].numpy(), scan

    def _array(self, item):
        """`item` as float32 data, of the model's rank and channels."""
        known, found = self.facts.input_shape, np.asarray(item)
        fits = found.dtype.kind in "buif" and found.ndim == len(known) and found.shape[-1] == known[-1] and found.size
        if not fits:
            wanted = f"{len(known) - 1} axes and {known[-1]} channels"
            given = f"{found.dtype} {found.shape}" if found.ndim else name_of(item)
            raise UserError(f"this model sees data of {wanted}, not {given}: give arrays of it")
        return found.astype(np.float32)

    def _misfit(self, shape):
        """What hinders a signal or volume of `shape` (places…, C) from being seen as it is, or None."""
        *known, channels = self.model.input_shape[1:]
        if shape[-1] != channels:
            return f"has {shape[-1]} channels, and this model sees {channels}"
        if any(side not in (None, own) for side, own in zip(known, shape[:-1], strict=True)):
            own, stated = ("×".join(map(str, sides)) for sides in (shape[:-1], known))
            return f"has the size {own}, and this model sees {stated} only: cut it, or fill it up, to that size"
        return None

    def _described(self, item, top, out, stem):
        found = self._answered(item)
        if isinstance(found, str):
            return {"name": name_of(item), "mask": None, "label": "", "score": 0.0, "top": [], "error": found}
        picture, mask, score, scan = found
        shares = np.bincount(mask.ravel(), minlength=self.facts.num_classes) / mask.size
        ranked = [(self.facts.class_names[k], float(shares[k])) for k in np.argsort(-shares)[:top] if shares[k]]
        label, score = self.facts.class_names[leading(mask)], float(np.mean(score, dtype=np.float64))
        answer = {"name": name_of(item), "label": label, "score": score, "top": ranked, "mask": mask}
        written = {} if out is None else write_mask(picture, mask, self.facts.class_names, out, stem, scan)
        return answer | ({"files": {kind: str(path) for kind, path in written.items()}} if written else {})


def leading(mask):
    """The class number that most places have, beside class 0 if there is another: that is mostly the background."""
    counts = np.bincount(mask.ravel())
    return int(counts[1:].argmax()) + 1 if counts[1:].any() else 0


def seen_size(model, facts, size):
    """int32 (2,): at what height and width a picture of `size` (2,) is seen."""
    return data.working_size(size, facts.input_shape, facts.framing if takes_any_size(model) else "stretch")


def takes_any_size(model):
    """Whether a `model` states none of the sides of what it sees."""
    return all(side is None for side in model.input_shape[1:-1])


def whole_mask(model, head, facts, picture):
    """(mask uint8 (h, w), best score float32 (h, w)) of a `picture` (h, w, C), in graph operations.

    It is uint8, or float32 data, as the model has seen in training.
    """
    size = tf.shape(picture)[:2]
    seen = data.resized(picture, seen_size(model, facts, size))
    scores = head.decode(model(tf.cast(seen, tf.float32)[None], training=False))["scores"][0]

    def better(k, mask, best):
        """One class after another: all classes at the picture's size would be too many numbers."""
        score = tf.image.resize(scores[..., k, None], size)[..., 0]
        mask = tf.where(score > best, tf.cast(k, tf.uint8), mask)
        return k + 1, mask, tf.maximum(score, best)

    start = (tf.constant(0), tf.zeros(size, tf.uint8), tf.fill(size, -1.0))
    _, mask, best = tf.while_loop(lambda k, *_: k < facts.num_classes, better, start, parallel_iterations=1)
    return mask, best


def _nearest(values, size):
    """`values` (h, w) at another `size`: each place takes the nearest one."""
    rows, columns = (
        np.minimum((np.arange(n) + 0.5) * old / n, old - 1).astype(int)
        for n, old in zip(size, values.shape, strict=True)
    )
    return values[rows[:, None], columns]
