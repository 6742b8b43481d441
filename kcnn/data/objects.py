"""Objects of pictures: boxes with their classes, and outlines where the data has them."""

from dataclasses import dataclass

import numpy as np

from kcnn.data.contents import Arrays, Encoded

MOST_OUTLINED = 254  # outlines of one picture; 255 is what lies outside it


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of N pictures: those of picture i are the rows `starts`[i] to `starts`[i + 1].

    `boxes` float32 (M, 4) xyxy in pixels of the upright picture; `classes` int32 (M,); `crowd` bool (M,): many things
    in one outline, not learned as objects nor counted against an answer; `areas` float32 (M,), as the data gives them
    or of the boxes, by which an object is small or large; `starts` int64 (N + 1,). `sizes` int32 (N, 2): height
    and width of the pictures that the boxes lie on, where the data says so.

    `outlines`: of each picture uint8 (h, w), 0 where there is nothing and 1 + the object's place among its picture's,
    as Encoded (grey PNGs) or Arrays; None where the data has boxes alone. An object beyond `MOST_OUTLINED` has none.
    """

    boxes: np.ndarray
    classes: np.ndarray
    crowd: np.ndarray
    areas: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray | None = None
    outlines: Encoded | Arrays | None = None

    @classmethod
    def of(cls, boxes, classes, crowd=None, areas=None, sizes=None, outlines=None):
        """Those of N pictures, each argument a list of arrays, one a picture: boxes (n, 4), the others (n,)."""
        starts = np.cumsum([0, *map(len, boxes)]).astype(np.int64)
        boxes, classes = _joined(boxes, np.float32, (4,)), _joined(classes, np.int32)
        crowd = np.zeros(len(classes), bool) if crowd is None else _joined(crowd, bool)
        areas = np.prod(boxes[:, 2:] - boxes[:, :2], 1) if areas is None else _joined(areas, np.float32)
        return cls(boxes, classes, crowd, areas, starts, sizes, outlines)

    def __len__(self):
        return len(self.starts) - 1

    @property
    def counts(self):
        """int64 (N,): how many each picture has."""
        return np.diff(self.starts)

    def rows(self, i):
        """The slice of picture `i`'s objects."""
        return slice(int(self.starts[i]), int(self.starts[i + 1]))

    def take(self, indices):
        """Those of the pictures at `indices` (integers or a mask), in that order."""
        indices = np.arange(len(self))[indices]
        counts = self.counts[indices]
        rows = _joined([np.arange(self.starts[i], self.starts[i + 1]) for i in indices], np.int64)
        parts = (part[rows] for part in (self.boxes, self.classes, self.crowd, self.areas))
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        sizes = None if self.sizes is None else self.sizes[indices]
        return Objects(*parts, starts, sizes, None if self.outlines is None else self.outlines.take(indices))

    def occurring(self, num_classes):
        """float32 (N, K): 1 for each class that a picture has an object of, crowds included."""
        found = np.zeros((len(self), num_classes), np.float32)
        found[np.repeat(np.arange(len(self)), self.counts), self.classes] = 1
        return found

    def digest(self):
        for part in (self.boxes, self.classes, self.crowd, self.areas, self.starts):
            yield np.ascontiguousarray(part).data
        if self.outlines is not None:
            yield from self.outlines.digest()


def _joined(parts, kind, shape=()):
    return np.concatenate(
        [np.zeros((0, *shape), kind), *(np.asarray(part, kind).reshape(-1, *shape) for part in parts)]
    )
