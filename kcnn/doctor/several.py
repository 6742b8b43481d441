"""Findings about several pictures together: copies, classes, splits and groups."""

import numpy as np

from kcnn.doctor.record import Case
from kcnn.doctor.single import shown

RATIO = 5  # the commonest class over the rarest
MOST = 50  # pictures of one group that a case shows


def copy_groups(survey, exact, near):
    """[(indices, exact, words)] of groups of two and more copies; a group is `exact` if all its pictures are.

    `exact` (N,) numbers equal content; `near` is [(i, j, correlation, mirrored)] between pictures of it.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = int(exact.max()) + 1 if len(exact) else 0
    ends = exact[np.array([row[:2] for row in near], np.int64).reshape(-1, 2)]
    graph = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (count, count))
    joined = connected_components(graph, directed=False)[1][exact] if count else exact
    words = {}
    for i, _, correlation, mirrored in near:
        best = words.setdefault(int(joined[i]), [correlation, False])
        words[int(joined[i])] = [min(best[0], correlation), best[1] or mirrored]
    order = np.argsort(joined, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(joined[order])) + 1)
    found = []
    for members in sorted((group for group in groups if len(group) > 1), key=lambda group: group[0]):
        same = len(set(exact[members])) == 1
        found.append((members, same, "the same content" if same else _words(*words[int(joined[members[0]])])))
    return found


def _words(correlation, mirrored):
    return f"alike by {correlation:.3f}" + (", one of them mirrored" if mirrored else "")


def copy_cases(survey, groups):
    """{kind: [Case]} of groups of copies: across splits, within one, and with different labels."""
    found = {}
    for members, exact, words in groups:
        case = Case(pictures=tuple(shown(survey, i) for i in members[:MOST]), detail=words + _more(members))
        across = len(set(survey.splits[members])) > 1
        kind = ("exact" if exact else "near") + ("_across_splits" if across else "_duplicates")
        found.setdefault(kind, []).append(case)
        if len(set(survey.labels[members])) > 1:
            found.setdefault("conflicting_duplicates", []).append(case)
    return found


def _more(members):
    return f"; {len(members)} pictures, {MOST} shown" if len(members) > MOST else ""


def class_cases(survey, dataset):
    """{kind: [Case]} of classes: empty, rare, missing from a split. Only readable pictures count."""
    readable = {split: _counts(survey, dataset, split) for split in dataset.splits}
    train = readable["train"]
    found = {"empty_class": [Case(detail=f"{name}: its folder has no picture") for name in dataset.empty_classes]}
    for k, name in enumerate(dataset.class_names):
        where = [split for split, counts in readable.items() if counts[k]]
        if not where:
            found["empty_class"].append(Case(detail=f"{name}: none of its pictures can be used"))
        elif not train[k]:
            _add(found, "class_not_in_training", f"{name}: only in {', '.join(sorted(where))}")
        else:
            absent = [split for split in sorted(readable) if split not in where]
            if absent:
                _add(found, "class_not_in_split", f"{name}: not in {', '.join(absent)} ({train[k]} in train)")
    present = train[train > 0]
    if len(present) > 1 and present.max() >= RATIO * present.min():
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
            detail = f"{column} {names[place[members[0]]]}: {where}{_more(members)}"
            found.setdefault("torn_groups", []).append(Case(pictures=pictures, detail=detail))
    return found


def _add(found, kind, detail):
    found.setdefault(kind, []).append(Case(detail=detail))


def to_leave_out(survey, groups):
    """[(index, reason)]: of copies all but one, of copies with different labels all.

    The copy that stays is in the split that training sees least: a test split before val before train.
    """
    found = []
    for members, exact, _ in groups:
        word = "exact" if exact else "near"
        if len(set(survey.labels[members])) > 1:
            found += [(i, f"{word} copies with different labels, such as {_other(survey, members, i)}")
                      for i in members]  # fmt: skip
            continue
        seen = [{"train": 2, "val": 1}.get(split, 0) for split in survey.splits[members]]
        kept = members[np.argsort(seen, kind="stable")[0]]
        stays = f"{survey.names[kept]} in {survey.splits[kept]}"
        # A table may name one file twice: leaving that name out would lose both.
        found += [(i, f"{word} copy of {stays}") for i in members if survey.names[i] != survey.names[kept]]
    return found


def _other(survey, members, i):
    other = next(j for j in members if survey.labels[j] != survey.labels[i])
    return f"{survey.names[other]} ({survey.labels[other]})"
