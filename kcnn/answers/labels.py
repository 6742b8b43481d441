"""Labels of pictures, each seen in its frame."""

from functools import cached_property

import numpy as np

from kcnn import data, evaluation
from kcnn.answers.naming import name_of, why_unread
from kcnn.errors import UserError

TOGETHER = 64


class LabelAnswers:
    """Answers of a `model` whose head gives scores (B, K)."""

    def __init__(self, model, head, facts):
        self.model, self.head, self.facts = model, head, facts

    def predict(self, items, top, out=None):
        """A dict for each of `items`: name, label, score, top [(label, score), …] of so many classes, or an error.

        Of several labels a picture also "labels": the names of those that are there.
        """
        if out is not None:
            raise UserError(f"out is {str(out)!r}, but labels are not drawn: leave it out")
        frames, ok = data.read(
            items, self.facts.input_shape, framing=self.facts.framing, max_pixels=self.facts.max_pixels
        )
        found = self._decoded(frames)
        there = found.get("present", [None] * len(ok))
        return [self._describe(*row, top) for row in zip(items, found["scores"], there, ok, strict=True)]

    def scores(self, frames):
        """The scores (N, K) of `frames` (N, H, W, C)."""
        return self._decoded(frames)["scores"]

    def _decoded(self, frames):
        parts = [self._graph(frames[i : i + TOGETHER]) for i in range(0, len(frames), TOGETHER)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def seen(self, frame):
        """The index of the class with the highest score in one frame (H, W, C)."""
        return int(self.scores(frame[None])[0].argmax())

    @cached_property
    def _graph(self):
        return evaluation.answer(self.model, self.head)

    def _describe(self, item, scores, there, ok, top):
        several = {} if there is None else {"labels": [self.facts.class_names[i] for i in np.flatnonzero(there & ok)]}
        if not ok:
            unread = {"name": name_of(item), "label": "", "score": 0.0, "top": [], "error": why_unread(item)}
            return unread | several
        ranked = [(self.facts.class_names[i], float(scores[i])) for i in np.argsort(-scores)[:top]]
        return {"name": name_of(item), "label": ranked[0][0], "score": ranked[0][1], "top": ranked} | several
