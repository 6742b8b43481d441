"""Are boxes what they should be? What cannot be learned from is left out or cut, counted, and told of."""

from dataclasses import dataclass, field

import numpy as np

SMALLEST = 1.0  # pixels, of a box's shorter side
SLACK = 1.0  # pixels by which a box may stick out without a word: tools round
WORDS = {
    "broken": "boxes have corners the wrong way round, no area, or numbers that are none: left out",
    "outside": "boxes lie wholly outside their pictures: left out",
    "cut": "boxes reach beyond their pictures: cut to them",
    "tiny": f"boxes are less than {SMALLEST:g} pixel wide or high: left out",
    "twice": "boxes are there twice, with one class and the same corners: one of each is kept",
}


@dataclass
class BoxProblems:
    """What was wrong with boxes: of each kind how many, and the first picture that has one."""

    counts: dict = field(default_factory=dict)
    examples: dict = field(default_factory=dict)

    def usable(self, boxes, classes, size, name):
        """(boxes (n, 4) cut to a picture of `size` (H, W), bool (n,) which are kept) of the picture called `name`."""
        boxes, limits = np.asarray(boxes, np.float64).reshape(-1, 4), np.array([size[1], size[0]] * 2, np.float64)
        finite = np.isfinite(boxes).all(1)
        boxes = np.where(finite[:, None], boxes, 0)
        sides = boxes[:, 2:] - boxes[:, :2]
        broken = ~finite | (sides <= 0).any(1)
        cut = np.clip(boxes, 0, limits)
        left = cut[:, 2:] - cut[:, :2]
        outside = ~broken & (left <= 0).any(1)
        tiny = ~broken & ~outside & (left < SMALLEST).any(1)
        kept = ~(broken | outside | tiny)
        twice = kept & _repeated(cut, classes, kept)
        beyond = kept & ~twice & (np.abs(cut - boxes) > SLACK).any(1)
        for kind, found in zip(WORDS, (broken, outside, beyond, tiny, twice), strict=True):
            self._note(kind, int(found.sum()), name)
        return cut.astype(np.float32), kept & ~twice

    def _note(self, kind, count, name):
        if count:
            self.counts[kind] = self.counts.get(kind, 0) + count
            self.examples.setdefault(kind, name)

    def notes(self):
        """A sentence for each kind that occurred."""
        return [
            f"{self.counts[kind]} {WORDS[kind]}, such as of {self.examples[kind]}"
            for kind in WORDS
            if kind in self.counts
        ]


def _repeated(boxes, classes, among):
    """bool (n,): those of `among` that equal an earlier one of them in class and corners."""
    rows = np.concatenate([np.rint(boxes * 64), np.asarray(classes, np.float64)[:, None]], 1)
    found, places = np.zeros(len(rows), bool), np.flatnonzero(among)
    _, first = np.unique(rows[places], axis=0, return_index=True)
    found[np.delete(places, first)] = True
    return found
