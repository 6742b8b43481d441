"""How good the masks of a model are: streamed, so that memory does not grow with the places seen.

Intersection and union, Dice, precision and recall are of all judged places of the split together; boundary F is the
mean over the pictures. Means over classes leave out a class that neither occurs nor is answered: what is not defined is
None. Samples count by their weights; `pixels`, `pictures` and the confusion matrix count plainly.

95 % intervals come from 200 Poisson resamples of the pictures (Hanley and MacGibbon 2006): how often a picture is drawn
follows from seed and index, so that neither the order of the pictures nor the size of a batch plays a part.
"""

from array import array

import numpy as np

from kcnn.evaluation.boundaries import boundary_f
from kcnn.evaluation.intervals import known, known_mean, of_resamples
from kcnn.evaluation.predictions import answer
from kcnn.masks import IGNORE

RESAMPLES = 200
LARGEST_MATRIX = 200
SHOWN = 4  # pictures each of the best, the typical and the worst
KINDS = ("best", "typical", "worst")
SHARES = ("iou", "dice", "precision", "recall", "boundary_f")


def tally_masks(model, head, batches, class_names, seed=0):
    """The `MaskTally` of one pass of `model` over `batches`, without the rows that pad the last one."""
    tally = MaskTally(class_names, seed)
    for batch, guess in answered(model, head, batches):
        truth, index, weights = (batch[key].numpy() for key in ("mask", "index", "weight"))
        tally.add(truth, guess, index, weights)
    return tally


def answered(model, head, batches):
    """Yields (batch, the masks (B, *S) uint8 that `model` answers to it)."""
    run = answer(model, head, "mask")
    for batch in batches:
        yield batch, run(batch["image"]).numpy()


class MaskTally:
    """Counts over pictures of masks with the classes `class_names`; `seed` is that of the resampling."""

    def __init__(self, class_names, seed=0):
        self.class_names, self.seed = list(class_names), seed
        classes = len(self.class_names)
        self.confusion = np.zeros((classes, classes), np.int64)
        self._pictures = np.zeros(classes, np.int64)
        self._sums = np.zeros((1 + RESAMPLES, 5, classes))  # hits, true, answered; boundary F and its count
        self._flat = True
        self._index, self._mean_iou, self._weights = array("q"), array("d"), array("d")

    def add(self, truth, guess, index, weights):
        """Count masks (n, *S) uint8 at the places `index` (n,) of the split; rows with an index below 0 are padding."""
        rows = np.flatnonzero(np.asarray(index) >= 0)
        if not len(rows):
            return
        self._flat &= truth.ndim == 3
        parts = np.stack([self._one(truth[row], guess[row]) for row in rows])
        draws = np.stack([self._draws(int(index[row])) for row in rows]) * np.asarray(weights, np.float64)[rows, None]
        self._sums += (draws.T @ parts.reshape(len(rows), -1)).reshape(self._sums.shape)
        self._index.extend(int(index[row]) for row in rows)
        self._weights.extend(float(weights[row]) for row in rows)

    def _one(self, truth, guess):
        """(5, K) of one picture, as in the sums."""
        classes, judged = len(self.class_names), truth != IGNORE
        cells = truth[judged].astype(np.intp) * classes + guess[judged]
        matrix = np.bincount(cells, minlength=classes**2).reshape(classes, classes)
        hits, true, said = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
        self.confusion += matrix
        self._pictures += true > 0
        self._mean_iou.append(float(known_mean(_over(hits, true + said - hits)[None])[0]))
        f = boundary_f(truth, guess, classes) if self._flat else np.full(classes, np.nan)
        return np.stack([hits, true, said, np.nan_to_num(f), ~np.isnan(f)])

    def _draws(self, index):
        """(1 + resamples,): once, and how often each resample draws this picture."""
        return np.append(1, np.random.default_rng((self.seed, index)).poisson(1, RESAMPLES))

    def pictures(self):
        """(index, mean IoU, weight), each (N,), of the pictures in the order of the split; NaN: nothing is judged."""
        columns = [np.array(column) for column in (self._index, self._mean_iou, self._weights)]
        order = np.argsort(columns[0], kind="stable")
        return tuple(column[order] for column in columns)

    def figures(self, names=None):
        """All figures as a JSON-able dict; `names` (N of the whole split) says what to call a picture, by its index.

        task, samples, pixels (judged ones), mean_iou, mean_dice, pixel_accuracy, boundary_f (of pictures in two
        dimensions, else None), per_class, confusion (rows true, counts of places, up to 200 classes), shown: pictures
        with the best, the most typical (nearest the median) and the worst mean IoU; intervals of the means.
        """
        hits, true, said, f, count = self._sums.swapaxes(0, 1)
        shares = [_over(hits, true + said - hits), _over(2 * hits, true + said), _over(hits, said), _over(hits, true)]
        shares = dict(zip(SHARES, [*shares, _over(f, count)], strict=True))
        means = {f"mean_{key}": known_mean(shares[key]) for key in ("iou", "dice")}
        means |= {"pixel_accuracy": _over(hits.sum(1), true.sum(1)), "boundary_f": known_mean(shares["boundary_f"])}
        matrix = self.confusion.tolist() if len(self.class_names) <= LARGEST_MATRIX else None
        return {
            "task": "masks",
            "samples": len(self._index),
            "pixels": int(self.confusion.sum()),
            **{key: known(values[0]) for key, values in means.items()},
            "per_class": [self._class(k, shares) for k in range(len(self.class_names))],
            "confusion": matrix,
            "shown": self._shown(names),
            "intervals": {key: self._interval(values) for key, values in means.items()},
        }

    def _class(self, k, shares):
        counts = {"pixels": int(self.confusion[k].sum()), "pictures": int(self._pictures[k])}
        bounds = {key: self._interval(shares[key][:, k]) for key in ("iou", "dice")}
        values = {key: known(values[0, k]) for key, values in shares.items()}
        return {"name": self.class_names[k], **values, **counts, "intervals": bounds}

    def _interval(self, values):
        """[low, high] of a figure from itself and its resamples (1 + resamples,); None where it is not defined."""
        return of_resamples(values[0], values[1:], np.array(self._weights))

    def _shown(self, names):
        """{kind: [{index, name, mean_iou}]}, no picture twice."""
        index, values, _ = self.pictures()
        judged = np.flatnonzero(~np.isnan(values))
        order = judged[np.argsort(-values[judged], kind="stable")]
        most = min(SHOWN, max(1, len(order) // len(KINDS)))
        best, rest = order[:most], order[most:]
        worst, rest = rest[-most:][::-1], rest[:-most]
        middle = np.median(values[judged]) if len(judged) else 0
        typical = rest[np.argsort(abs(values[rest] - middle), kind="stable")][:most]
        rows = dict(zip(KINDS, (best, typical, worst), strict=True))
        return {kind: [_who(index[i], values[i], names) for i in chosen] for kind, chosen in rows.items()}


def shown_places(figures):
    """The places in the split of the pictures that `figures` show: the best, the typical, the worst."""
    return np.array([row["index"] for kind in KINDS for row in figures["shown"][kind]], np.int64)


def shown_pictures(model, head, batches):
    """{"picture", "truth", "answer"}, each (n, ...): what the report draws, of `batches` of the `shown_places`."""
    parts = []
    for batch, guess in answered(model, head, batches):
        columns = {"picture": batch["image"].numpy(), "truth": batch["mask"].numpy(), "answer": guess}
        parts.append({key: values[batch["index"].numpy() >= 0] for key, values in columns.items()})
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]} if parts else {}


def _over(part, whole):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(part, np.float64) / whole


def _who(index, value, names):
    name = f"index {index}" if names is None else str(names[index])
    return {"index": int(index), "name": name, "mean_iou": float(value)}
