"""How good the boxes of a model are: COCO's scores, at the pictures' own sizes, and the pictures to look at.

Answers of all pictures are kept until the end, some dozen numbers each: precision is of the whole split or of nothing.
"""

from functools import partial

import numpy as np
import tensorflow as tf

from kcnn import data
from kcnn.boxes import pairwise_iou
from kcnn.evaluation.coco_scores import Answers, CocoScores
from kcnn.evaluation.instance_masks import pasted, run_lengths, true_run_lengths
from kcnn.evaluation.masks import KINDS, SHOWN
from kcnn.evaluation.predictions import answer

PARTS = ("boxes", "scores", "classes")
MATCHED = 0.5  # IoU from which an answer is right


def measure_boxes(model, head, batches, samples, facts, names=None):
    """The figures of `BoxTally` after one pass of `model` over `batches` of `samples`."""
    tally, run = BoxTally(samples, facts), answer(model, head)
    for batch in batches:
        tally.add(batch, run(batch["image"]))
    return tally.figures(names)


class BoxTally:
    """What was answered to the pictures of `samples`, which have objects, under `facts`; `names`: what to call them."""

    def __init__(self, samples, facts):
        self.objects, self.class_names = samples.objects, list(facts.class_names)
        self.frame, self.framing = facts.input_shape, facts.framing
        self.sizes = data.sizes_of(samples.images)
        self._parts, self._masks, self._outlined = [], [], False

    def add(self, batch, answers):
        """Keep the `answers` of a head for boxes to a batch; rows with an index below 0 are padding."""
        index = batch["index"].numpy()
        rows = index >= 0
        if not rows.any():
            return
        sizes = self.sizes[index[rows]]
        boxes, uncut = (
            part.numpy() for part in data.in_pictures(answers["boxes"].numpy()[rows], sizes, self.frame, self.framing)
        )
        scores, classes = (answers[key].numpy()[rows] for key in ("scores", "classes"))
        there = classes >= 0
        place = np.repeat(index[rows], there.sum(1))
        self._parts.append((place, boxes[there], scores[there], classes[there]))
        if "masks" in answers and self.objects.outlines is not None:
            self._outlined, masks = True, answers["masks"].numpy()[rows][there]
            self._masks += [
                run_lengths(pasted(mask, box, self.sizes[i]))
                for mask, box, i in zip(masks, uncut[there], place, strict=True)
            ]

    def answers(self):
        """All `Answers` so far, in the order of the pictures and, of one, the best first."""
        none = (np.zeros(0, np.int64), np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))
        columns = [np.concatenate(parts) for parts in zip(none, *self._parts, strict=True)]
        order = np.lexsort((-columns[2], columns[0]))
        masks = [self._masks[i] for i in order] if self._outlined else None
        return Answers(*(column[order] for column in columns), masks)

    def headline(self):
        """{"map", "map50"}: what a training watches."""
        answers = self.answers()
        found = {"": self._scores(answers).numbers(), "mask_": self._of_masks(answers)}
        return {f"{kind}{name}": part[name] or 0.0 for kind, part in found.items() if part for name in ("map", "map50")}

    def _of_masks(self, answers):
        """COCO's twelve numbers of the answers' masks, None where there are none."""
        if answers.masks is None:
            return None
        true = true_run_lengths(self.objects, partial(data.mask_of, self.objects.outlines))
        return CocoScores(self.objects, answers, len(self.class_names), self.sizes, true).numbers()

    def _scores(self, answers):
        return CocoScores(self.objects, answers, len(self.class_names), self.sizes)

    def figures(self, names=None):
        """All figures as a JSON-able dict; `names` (N of the whole split) says what to call a picture, by its index.

        task, samples, objects, COCO's twelve numbers (and those of masks as mask_map …, if masks are answered),
        threshold {score, f1, precision, recall}: from which score on answers have the best mean F1; per_class;
        confusion of answers from there on (rows true, last the background); curve {recall, precision} at an IoU of 0.5;
        shown: pictures with the best, typical and worst F1.
        """
        answers = self.answers()
        scores = self._scores(answers)
        threshold, f1, precision, recall = scores.best_threshold()
        (recalls, precisions), of_masks = scores.curve(), self._of_masks(answers)
        return {
            "task": "boxes",
            "samples": len(self.objects),
            "objects": int((~self.objects.crowd).sum()),
            **scores.numbers(),
            **({f"mask_{name}": value for name, value in of_masks.items()} if of_masks else {}),
            "threshold": {"score": threshold, "f1": f1, "precision": precision, "recall": recall},
            "per_class": self._per_class(scores),
            "confusion": scores.confusion(threshold).tolist(),
            "curve": {"recall": recalls.tolist(), "precision": precisions.tolist()},
            "shown": self._shown(answers, threshold, names),
        }

    def _per_class(self, scores):
        counts = np.bincount(self.objects.classes[~self.objects.crowd], minlength=len(self.class_names))
        return [
            {"name": name, "objects": int(count), "map": row[0], "map50": row[1], "recall": row[2]}
            for name, count, row in zip(self.class_names, counts, scores.per_class(), strict=True)
        ]

    def _shown(self, answers, threshold, names):
        values = self.picture_f1(answers, threshold)
        order = np.argsort(-values, kind="stable")
        most = min(SHOWN, max(1, len(order) // len(KINDS)))
        best, rest = order[:most], order[most:]
        worst, rest = rest[-most:][::-1], rest[:-most]
        typical = rest[np.argsort(abs(values[rest] - np.median(values)), kind="stable")][:most]
        rows = zip(KINDS, (best, typical, worst), strict=True)
        return {kind: [_who(i, values[i], names) for i in chosen] for kind, chosen in rows}

    def picture_f1(self, answers, threshold):
        """(N,): of each picture the F1 of its answers from the score `threshold` on; 1 where nothing is and is said."""
        values = np.ones(len(self.objects))
        starts = np.searchsorted(answers.index, np.arange(len(values) + 1))
        for i in range(len(values)):
            own, truth = slice(starts[i], starts[i + 1]), self.objects.rows(i)
            sure = answers.scores[own] >= threshold
            plain = ~self.objects.crowd[truth]
            right = matches(
                answers.boxes[own][sure], answers.classes[own][sure],
                self.objects.boxes[truth][plain], self.objects.classes[truth][plain],
            )  # fmt: skip
            count = sure.sum() + plain.sum()
            values[i] = 2 * (right >= 0).sum() / count if count else 1.0
        return values


def shown_boxes(model, head, batches, least):
    """{"picture": (n, H, W, C), "truth", "answer": [{"boxes", "classes", "scores"}]} of `batches`, as frames show them.

    Answers are those from the score `least` on.
    """
    run, found = answer(model, head), {"picture": [], "truth": [], "answer": []}
    for batch in batches:
        said = {key: value.numpy() for key, value in run(batch["image"]).items()}
        true = {key: batch[key].numpy() for key in ("boxes", "classes")}
        for i in np.flatnonzero(batch["index"].numpy() >= 0):
            sure, there = said["scores"][i] >= max(least, 1e-9), true["classes"][i] >= 0
            found["picture"].append(batch["image"][i].numpy())
            found["truth"].append({key: value[i][there] for key, value in true.items()})
            found["answer"].append({key: said[key][i][sure] for key in PARTS})
    return found | {"picture": np.stack(found["picture"])}


def matches(boxes, classes, true_boxes, true_classes):
    """int (M,): which true object each answer, best first, finds: the one of its class that it overlaps most; or -1."""
    found, free = np.full(len(boxes), -1), np.ones(len(true_boxes), bool)
    if not len(boxes) or not len(true_boxes):
        return found
    same = classes[:, None] == true_classes[None]
    overlap = np.where(same, pairwise_iou(tf.constant(boxes), tf.constant(true_boxes)), 0)
    for i, row in enumerate(overlap):
        best = int(np.argmax(row * free))
        if free[best] and row[best] >= MATCHED:
            found[i], free[best] = best, False
    return found


def _who(index, value, names):
    return {"index": int(index), "name": f"index {index}" if names is None else str(names[index]), "f1": float(value)}
