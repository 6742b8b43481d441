"""Boxes of objects in pictures of any size, each in its picture's own pixels."""

from functools import cached_property

import numpy as np

from kcnn import data, evaluation
from kcnn.answers.drawing import write_boxes
from kcnn.answers.naming import name_of, stems_of, why_unread

TOGETHER = 32  # frames


class BoxAnswers:
    """Answers of a `model` whose head gives boxes; how sure they must be is the head's `least`."""

    def __init__(self, model, head, facts):
        self.model, self.head, self.facts = model, head, facts

    def predict(self, items, top, out=None):
        """A dict for each of `items`: name, label and score of the best object, top [(class, its best score), …].

        With these boxes float32 (n, 4) xyxy in pixels of the upright picture, classes [names] and scores (n,), best
        first, and, of a head that draws outlines, masks bool (n, h, w); or an error. out: a folder for `write_boxes`,
        whose files are then named.
        """
        stems = stems_of(items) if out is not None else [None] * len(items)
        found = []
        for start in range(0, len(items), TOGETHER):
            some = slice(start, start + TOGETHER)
            frames, ok, sizes = data.read_sized(
                items[some], self.facts.input_shape, framing=self.facts.framing, max_pixels=self.facts.max_pixels
            )
            rows = zip(items[some], ok, self._seen(frames, sizes), stems[some], strict=True)
            found += [self._described(*row, top, out) for row in rows]
        return found

    def in_frame(self, frame):
        """{"boxes" (n, 4), "scores" (n,), "classes" (n,) numbers} of one frame (H, W, C), in its pixels, best first."""
        found = {key: value.numpy()[0] for key, value in self._graph(frame[None]).items()}
        return {key: found[key][: found["count"]] for key in ("boxes", "scores", "classes")}

    @cached_property
    def _graph(self):
        return evaluation.answer(self.model, self.head)

    def _seen(self, frames, sizes):
        """Of every frame {"boxes" in the picture's pixels, "scores", "classes" (numbers), "masks" if any}."""
        found = {key: value.numpy() for key, value in self._graph(frames).items()}
        placed = data.in_pictures(found["boxes"], sizes, self.facts.input_shape, self.facts.framing)
        boxes, uncut = (part.numpy() for part in placed)
        for i, count in enumerate(found["count"]):
            own = {"boxes": boxes[i, :count]} | {key: found[key][i, :count] for key in ("scores", "classes")}
            if "masks" in found:
                size = tuple(sizes[i].tolist())
                pairs = zip(found["masks"][i, :count], uncut[i, :count], strict=True)
                masks = [evaluation.pasted(*pair, size) for pair in pairs]
                own["masks"] = np.array(masks, bool).reshape(-1, *size)
            yield own

    def _described(self, item, ok, seen, stem, top, out):
        if not ok:
            none = {key: value[:0] for key, value in seen.items()} | {"classes": []}
            return {"name": name_of(item), "label": "", "score": 0.0, "top": [], **none, "error": why_unread(item)}
        numbers, names = seen["classes"], [self.facts.class_names[k] for k in seen["classes"]]
        best = {}
        for name, score in zip(names, seen["scores"].tolist(), strict=True):
            best.setdefault(name, score)
        ranked = list(best.items())[:top]
        label, score = ranked[0] if ranked else ("", 0.0)
        answer = {"name": name_of(item), "label": label, "score": score, "top": ranked, **seen, "classes": names}
        if out is None:
            return answer
        picture = data.read_whole(item, self.facts.input_shape[-1], self.facts.max_pixels)
        files = write_boxes(picture, answer, numbers, out, stem)
        return answer | {"files": {kind: str(path) for kind, path in files.items()}}
