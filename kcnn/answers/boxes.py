"""Boxes of objects in pictures of any size, each in its picture's own pixels."""

from functools import cached_property

import numpy as np
import tensorflow as tf

from kcnn import data, evaluation
from kcnn.answers.drawing import write_boxes
from kcnn.answers.naming import name_of, stems_of, why_unread

TOGETHER = 32  # frames


class BoxAnswers:
    """Answers of a `model` whose head gives boxes; how sure they must be is the head's `least`."""

    def __init__(self, model, head, facts):
        self.model, self.head, self.facts = model, head, facts

    def predict(self, items, top, out=None):
        """A dict for each of `items`: name, label and score of the best object, top [(class, its best score), …], and

        boxes float32 (n, 4) xyxy in pixels of the upright picture, classes [names], scores (n,), best first; or an
        error. out: a folder for `write_boxes`, whose files are then named.
        """
        stems = stems_of(items) if out is not None else [None] * len(items)
        found = []
        for start in range(0, len(items), TOGETHER):
            some = slice(start, start + TOGETHER)
            frames, ok, sizes = data.read_sized(
                items[some], self.facts.input_shape, framing=self.facts.framing, max_pixels=self.facts.max_pixels
            )
            boxes, scores, classes = self._seen(frames, sizes)
            rows = zip(items[some], ok, boxes, scores, classes, stems[some], strict=True)
            found += [self._described(*row, top, out) for row in rows]
        return found

    def scores(self, frames):
        """The best scores (N, K) of each class's objects in `frames` (N, H, W, C)."""
        found = self._graph(frames)
        kinds = tf.one_hot(found["classes"], self.facts.num_classes)
        return tf.reduce_max(kinds * found["scores"][..., None], 1).numpy()

    def seen(self, frame):
        """The index of the class of the best object in one frame (H, W, C)."""
        return int(self.scores(frame[None])[0].argmax())

    @cached_property
    def _graph(self):
        return evaluation.answer(self.model, self.head)

    def _seen(self, frames, sizes):
        """(boxes in the pictures' pixels, scores, classes), an array each of every frame."""
        found = {key: value.numpy() for key, value in self._graph(frames).items()}
        boxes = data.in_pictures(tf.constant(found["boxes"]), sizes, self.facts.input_shape, self.facts.framing).numpy()
        there = [slice(0, count) for count in found["count"]]
        return [[part[i][own] for i, own in enumerate(there)] for part in (boxes, found["scores"], found["classes"])]

    def _described(self, item, ok, boxes, scores, classes, stem, top, out):
        if not ok:
            none = {"label": "", "score": 0.0, "top": [], "boxes": np.zeros((0, 4), np.float32), "classes": []}
            return {"name": name_of(item), **none, "scores": np.zeros(0, np.float32), "error": why_unread(item)}
        names = [self.facts.class_names[k] for k in classes]
        best = {}
        for name, score in zip(names, scores.tolist(), strict=True):
            best.setdefault(name, score)
        ranked = list(best.items())[:top]
        label, score = ranked[0] if ranked else ("", 0.0)
        answer = {"name": name_of(item), "label": label, "score": score, "top": ranked}
        answer |= {"boxes": boxes, "classes": names, "scores": scores}
        if out is None:
            return answer
        picture = data.read_whole(item, self.facts.input_shape[-1], self.facts.max_pixels)
        files = write_boxes(picture, answer, classes, out, stem)
        return answer | {"files": {kind: str(path) for kind, path in files.items()}}
