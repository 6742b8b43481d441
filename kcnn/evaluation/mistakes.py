"""The mistakes to look at: single samples with the greatest loss, and the pairs of classes most often confused."""

import numpy as np

PAIRS, PICTURED = 10, 6
MOST_LABELS = 2000


def worst(p, guess, right, loss, class_names, names=None, most=12):
    """The `most` mistaken samples of `Predictions` p with the greatest loss: [{index, name, true, predicted, score,
    loss}].

    guess: class numbers (N,), or bool (N, K) for several labels; right bool (N,); loss (N,).
    """
    mistaken = np.flatnonzero(~right)
    chosen = mistaken[np.argsort(-loss[mistaken], kind="stable")][:most]
    if p.multi_label:
        said = [(_joined(class_names, p.labels[i] > 0.5), _joined(class_names, guess[i])) for i in chosen]
    else:
        said = [(class_names[p.labels[i]], class_names[guess[i]]) for i in chosen]
    return [
        {**_who(p, i, names), "true": true, "predicted": predicted, "score": float(p.scores[i].max()),
         "loss": float(loss[i])}
        for i, (true, predicted) in zip(chosen, said, strict=True)
    ]  # fmt: skip


def most_confused(p, guess, class_names, names):
    """The pairs most often mistaken: [{true, predicted, count, share of the true class, example, lookalike}].

    `example` is the mistake of that kind that the model was surest of, `lookalike` the sample it is surest of among
    those that really are of the predicted class; None if there is none.
    """
    wrong, classes, best = guess != p.labels, len(class_names), p.scores[np.arange(len(p)), guess]
    cells, counts = np.unique(p.labels[wrong].astype(np.int64) * classes + guess[wrong], return_counts=True)
    support = np.bincount(p.labels, minlength=classes)
    pairs = []
    for i in np.argsort(-counts, kind="stable")[:PAIRS]:
        t, g = divmod(int(cells[i]), classes)
        pairs.append({
            "true": class_names[t], "predicted": class_names[g], "count": int(counts[i]),
            "share": float(counts[i] / support[t]),
            "example": _surest(p, (p.labels == t) & (guess == g), best, names),
            "lookalike": _surest(p, (p.labels == g) & (guess == g), best, names),
        })  # fmt: skip
    return pairs


def most_replaced(p, guess, class_names, names=None):
    """As `most_confused` for several labels: a true label that is missing while another is wrongly given.

    guess: bool (N, K). There is no lookalike; `count` is the number of samples with both.
    """
    if len(class_names) > MOST_LABELS:
        return []
    truth, hit = p.labels > 0.5, []
    missing, wrong = truth & ~guess, guess & ~truth
    counts = missing.T.astype(np.float32) @ wrong.astype(np.float32)
    for cell in np.argsort(-counts, axis=None, kind="stable")[:PAIRS]:
        t, g = divmod(int(cell), len(class_names))
        if counts[t, g]:
            both = missing[:, t] & wrong[:, g]
            hit.append({
                "true": class_names[t], "predicted": class_names[g], "count": int(counts[t, g]),
                "share": float(counts[t, g] / truth[:, t].sum()),
                "example": _surest(p, both, p.scores[:, g], names), "lookalike": None,
            })  # fmt: skip
    return hit


def pictured(pairs):
    """Those of the pairs of `most_confused` that are shown with pictures: the first with an example and a lookalike."""
    return [pair for pair in pairs if pair["example"] and pair["lookalike"]][:PICTURED]


def _surest(p, chosen, scores, names):
    places = np.flatnonzero(chosen)
    if not len(places):
        return None
    return _who(p, places[scores[places].argmax()], names)


def _who(p, i, names):
    index = int(p.index[i])
    return {"index": index, "name": str(names[index]) if names is not None else f"index {index}"}


def _joined(class_names, chosen):
    return ", ".join(name for name, yes in zip(class_names, chosen, strict=True) if yes) or "none"
