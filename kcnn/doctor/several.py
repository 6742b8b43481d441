"""Findings about many pictures together: classes, splits and groups."""

import numpy as np

from kcnn.doctor.record import Case
from kcnn.doctor.single import MOST, more, shown

RATIO = 5  # the commonest class over the rarest


def class_cases(survey, dataset):
    """{kind: [Case]} of classes: empty, rare, missing from a split. Only readable pictures count."""
    readable = {split: _counts(survey, dataset, split) for split in dataset.splits}
    train = readable["train"]
    found = {"empty_class": [Case(detail=f"{name}: its folder has no picture") for name in dataset.empty_classes]}
    for k, name in enumerate(dataset.class_names):
        where = [split for split, counts in readable.items() if counts[k]]
        if not where:
            words = "in no mask that can be used" if dataset.task == "masks" else "none of its pictures can be used"
            found["empty_class"].append(Case(detail=f"{name}: {words}"))
        elif not train[k]:
            _add(found, "class_not_in_training", f"{name}: only in {', '.join(sorted(where))}")
        else:
            absent = [split for split in sorted(readable) if split not in where]
            if absent:
                _add(found, "class_not_in_split", f"{name}: not in {', '.join(absent)} ({train[k]} in train)")
    present = train[train > 0]
    if dataset.task == "labels" and len(present) > 1 and present.max() >= RATIO * present.min():
        most, least = int(train.argmax()), int(np.where(train > 0, train, train.max() + 1).argmin())
        names = dataset.class_names
        words = f"{names[most]} {train[most]}, {names[least]} {train[least]} in train"
        _add(found, "unbalanced", f"{train[most] / train[least]:.1f} to 1: {words}")
    return found


def _counts(survey, dataset, split):
    """int64 (K,): readable pictures of each class in a split."""
    labels = dataset.splits[split].labels[survey.readable[survey.splits == split]]
    if labels.ndim == 1:
        return np.bincount(labels, minlength=dataset.num_classes)
    return (labels > 0.5).sum(0)


def group_cases(survey, dataset, column):
    """{"torn_groups": [Case]} of groups, as the CSV column `column` names them, with pictures in several splits."""
    if not column:
        return {}
    groups = np.concatenate([dataset.splits[split].columns[column] for split in sorted(dataset.splits)])
    found = {}
    names, place = np.unique(groups.astype(str), return_inverse=True)
    order = np.argsort(place, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(place[order])) + 1):
        splits, counts = np.unique(survey.splits[members].astype(str), return_counts=True)
        if names[place[members[0]]] and len(splits) > 1:
            where = ", ".join(f"{split} {n}" for split, n in zip(splits, counts, strict=True))
            pictures = tuple(shown(survey, i) for i in members[:MOST])
            detail = f"{column} {names[place[members[0]]]}: {where}{more(members)}"
            found.setdefault("torn_groups", []).append(Case(pictures=pictures, detail=detail))
    return found


def _add(found, kind, detail):
    found.setdefault(kind, []).append(Case(detail=detail))
