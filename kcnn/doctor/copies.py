"""Copies: what belongs together, what to say of it, and which of it had better be left out."""

import numpy as np

from kcnn.doctor.record import Case
from kcnn.doctor.single import MOST, more, shown


def representatives(survey, exact):
    """int64: one picture of each number in `exact` (N,), the one that training sees least, in order of index."""
    seen = np.array([_seen(split) for split in survey.splits])
    order = np.lexsort((np.arange(len(exact)), seen, exact))
    return np.sort(order[np.unique(exact[order], return_index=True)[1]])


def _seen(split):
    """How much training sees of a split: test least, val, then train."""
    return {"train": 2, "val": 1}.get(split, 0)


def copy_groups(exact, near):
    """[(indices, exact, words)] of groups of two and more: first the exact copies, then the near ones.

    `exact` (N,) numbers equal content; `near` is [(i, j, correlation, mirrored)] between `representatives` of it, which
    alone stand in the near groups.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ends, count = np.array([row[:2] for row in near], np.int64).reshape(-1, 2), len(exact)
    graph = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (count, count))
    joined = connected_components(graph, directed=False)[1] if count else exact
    words = {}
    for i, _, correlation, mirrored in near:
        best = words.setdefault(int(joined[i]), [correlation, False])
        words[int(joined[i])] = [min(best[0], correlation), best[1] or mirrored]
    found = [(members, True, "the same content") for members in _alike(exact)]
    return found + [(members, False, _words(*words[int(joined[members[0]])])) for members in _alike(joined)]


def _alike(numbers):
    """Indices of equal `numbers`, where there are several, in order of the first."""
    order = np.argsort(numbers, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    return sorted((group for group in groups if len(group) > 1), key=lambda group: group[0])


def _words(correlation, mirrored):
    return f"alike by {correlation:.3f}" + (", one of them mirrored" if mirrored else "")


def copy_cases(survey, groups):
    """{kind: [Case]} of groups of copies: across splits, within one, with different labels, and under one name."""
    found = {}
    for members, exact, words in groups:
        case = Case(pictures=tuple(shown(survey, i) for i in members[:MOST]), detail=words + more(members))
        across = len(set(survey.splits[members])) > 1
        kind = ("exact" if exact else "near") + ("_across_splits" if across else "_duplicates")
        found.setdefault(kind, []).append(case)
        if _conflict(survey, members, exact):
            found.setdefault("conflicting_duplicates", []).append(case)
        elif exact:
            found.setdefault("listed_twice", []).extend(_listed_twice(survey, members))
    return found


def _conflict(survey, members, exact):
    """True where copies teach different things; masks of near copies, as of a crop, may well differ."""
    return len(set(survey.answers[members])) > 1 and (exact or (survey.answers == survey.labels).all())


def _listed_twice(survey, members):
    """Cases of rows under the name of the copy that stays: leaving that name out would lose the picture."""
    kept = _kept(survey, members)
    rows = members[survey.names[members] == survey.names[kept]]
    if len(rows) > 1:
        where = ", ".join(dict.fromkeys(survey.splits[rows[rows != kept]]))
        detail = f"keep one row in {survey.splits[kept]}, delete those in {where}"
        if set(survey.splits[rows]) == {survey.splits[kept]}:
            detail = f"keep one of {len(rows)} rows in {where}"
        yield Case(pictures=tuple(shown(survey, i) for i in rows[:MOST]), detail=detail)


def _kept(survey, members):
    """The copy that stays: the first one in the split that training sees least."""
    return min(members, key=lambda i: (_seen(survey.splits[i]), i))


def to_leave_out(survey, groups):
    """[(index, reason)] of copies that had better be left out; what stays is in the split that training sees least.

    Of exact copies all but one. Of near copies those in other splits than the one that stays (test before val before
    train): near copies within one split are reported, and left alone. Of copies with different labels all. The list
    goes by names: other rows under the name of what stays are a finding of their own, `listed_twice`.
    """
    found = []
    for members, exact, _ in groups:
        word = "exact" if exact else "near"
        if _conflict(survey, members, exact):
            what = "labels" if (survey.answers == survey.labels).all() else "masks"
            found += [(i, f"{word} copies with different {what}, such as {_other(survey, members, i)}")
                      for i in members]  # fmt: skip
            continue
        kept = _kept(survey, members)
        stays = f"{survey.names[kept]} in {survey.splits[kept]}"
        staying = [kept] if exact else members[survey.splits[members] == survey.splits[kept]]
        names = set(survey.names[staying])
        found += [(i, f"{word} copy of {stays}") for i in members if survey.names[i] not in names]
    return found


def _other(survey, members, i):
    other = next(j for j in members if survey.answers[j] != survey.answers[i])
    return f"{survey.names[other]} ({survey.labels[other]})"
