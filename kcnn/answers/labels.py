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
        """A dict for each of `items`: name, label, score, top [(label, score), …] of so many classes, or an error."""
        if out is not None:
            raise UserError(f"out is {str(out)!r}, but labels are not drawn: leave it out")
        frames, ok = data.read(
            items, self.facts.input_shape, framing=self.facts.framing, max_pixels=self.facts.max_pixels
        )
        return [self._describe(*row, top) for row in zip(items, self.scores(frames), ok, strict=True)]

    def scores(self, frames):
        """The scores (N, K) of `frames` (N, H, W, C)."""
        parts = (frames[i : i + TOGETHER] for i in range(0, len(frames), TOGETHER))
        return np.concatenate([self._graph(part)["scores"] for part in parts])

    def seen(self, frame):
        """The index of the class with the highest score in one frame (H, W, C)."""
        return int(self.scores(frame[None])[0].argmax())

    @cached_property
    def _graph(self):
        return evaluation.answer(self.model, self.head)

    def _describe(self, item, scores, ok, top):
        if not ok:
            return {"name": name_of(item), "label": "", "score": 0.0, "top": [], "error": why_unread(item)}
        ranked = [(self.facts.class_names[i], float(scores[i])) for i in np.argsort(-scores)[:top]]
        return {"name": name_of(item), "label": ranked[0][0], "score": ranked[0][1], "top": ranked}
