"""COCO's scores of boxes and masks, through hotcoco: average precision over classes, overlaps and sizes; confusion.

Lin et al. 2014, Microsoft COCO. hotcoco's own summary prints, so its twelve means are taken here.
"""

from dataclasses import dataclass

import numpy as np

MOST_ANSWERS = 100  # of a picture, by score, that COCO looks at
HALF, THREE_QUARTERS = 0, 5  # places of these IoUs among COCO's ten thresholds
SIZES = ("small", "medium", "large")  # below 32², to 96², above: places 1 to 3 of the areas


@dataclass(frozen=True)
class Answers:
    """M answers to N pictures: `index` (M,) which picture, `boxes` (M, 4) xyxy in its pixels, `scores`, `classes` (M,).

    `masks`: run lengths as COCO has them, one an answer, or None.
    """

    index: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    masks: list | None = None


class CocoScores:
    """All that COCO's protocol says of `answers` to `objects`, the truth (`kcnn.data.Objects` of N pictures).

    num_classes: K. sizes: (N, 2) heights and widths. masks: run lengths of all M objects, to judge masks and not boxes.
    """

    def __init__(self, objects, answers, num_classes, sizes, masks=None):
        from hotcoco import COCO, COCOeval

        self.num_classes = num_classes
        pictures = [{"id": i, "height": int(h), "width": int(w)} for i, (h, w) in enumerate(sizes)]
        classes = [{"id": k, "name": str(k)} for k in range(num_classes)]
        index = np.repeat(np.arange(len(objects)), objects.counts)
        options = {} if masks is None else {"segmentation": masks}
        truth = COCO.from_arrays(
            pictures, classes, index, objects.classes, _corner_size(objects.boxes), ids=np.arange(1, len(index) + 1),
            area=objects.areas.astype(np.float64), iscrowd=objects.crowd.astype(np.int64), **options,
        )  # fmt: skip
        rows = np.column_stack([answers.index, _corner_size(answers.boxes), answers.scores, answers.classes])
        options = {} if masks is None else {"segmentation": answers.masks}
        said = truth.load_res(np.asarray(rows, np.float64).reshape(-1, 7), **options)
        self._eval = COCOeval(truth, said, "bbox" if masks is None else "segm")
        self._eval.evaluate()
        self._eval.accumulate()
        self._precision, self._recall = (np.asarray(self._eval.eval[key]) for key in ("precision", "recall"))
        self._scores = np.asarray(self._eval.eval["scores"])

    def numbers(self):
        """COCO's twelve numbers by name, None where nothing of that size is there."""
        precision, recall = self._precision[:, :, :, :, -1], self._recall[:, :, 0]
        found = {"map": precision[..., 0], "map50": precision[HALF, ..., 0], "map75": precision[THREE_QUARTERS, ..., 0]}
        found |= {f"map_{size}": precision[..., area] for area, size in enumerate(SIZES, 1)}
        found |= {f"recall_{most}": recall[..., place] for place, most in enumerate((1, 10, MOST_ANSWERS))}
        found |= {f"recall_{size}": self._recall[:, :, area, -1] for area, size in enumerate(SIZES, 1)}
        return {name: _mean(values) for name, values in found.items()}

    def per_class(self):
        """[(map, map50, recall at an IoU of 0.5)] of each class, None where it has no object."""
        precision, recall = self._precision[:, :, :, 0, -1], self._recall[:, :, 0, -1]
        return [
            (_mean(precision[:, :, k]), _mean(precision[HALF, :, k]), _mean(recall[HALF, k]))
            for k in range(self.num_classes)
        ]

    def curve(self):
        """(recalls (101,), mean precision (101,) of the classes that have objects) at an IoU of 0.5."""
        precision = self._precision[HALF, :, :, 0, -1]
        there = (precision > -1).any(0)
        return np.linspace(0, 1, 101), precision[:, there].mean(1) if there.any() else np.zeros(101)

    def confusion(self, least):
        """int (K + 1, K + 1): rows true, columns answered, the last the background; IoU 0.5, scores from `least`."""
        found = self._eval.confusion_matrix(iou_thr=0.5, max_det=MOST_ANSWERS, min_score=least)
        return np.asarray(found["matrix"]).astype(np.int64)

    def best_threshold(self):
        """(score, F1, precision, recall): the score from which answers have the largest mean F1 over classes.

        The score is rounded down to thousandths, so that it is below 1 and no answer that counts is below it.
        """
        recalls = np.linspace(0, 1, 101)
        precision, scores = self._precision[HALF, :, :, 0, -1], self._scores[HALF, :, :, 0, -1]
        there = np.flatnonzero((precision > -1).any(0))
        best, said = (0.5, 0.0, 0.0, 0.0), scores[:, there][scores[:, there] > 0]
        for threshold in np.unique(np.floor(np.clip(said, 0, 0.999) * 1000) / 1000):
            points = []
            for k in there:
                reached = np.flatnonzero(scores[:, k] >= threshold)
                last = reached[-1] if len(reached) else None
                p, r = (precision[last, k], recalls[last]) if last is not None else (0.0, 0.0)
                points.append((2 * p * r / (p + r) if p + r else 0.0, p, r))
            means = np.mean(points, 0)
            if means[0] > best[1]:
                best = (float(threshold), *map(float, means))
        return best


def _corner_size(boxes):
    """x, y, width, height float64 of boxes (M, 4)."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)


def _mean(values):
    """The mean of those that are defined, which others are -1 for; None if none is."""
    values = np.asarray(values)
    return float(values[values > -1].mean()) if (values > -1).any() else None
