"""The examination: every picture looked at once, then what it means, as one record in a fixed order."""

import numpy as np

from kcnn.data.checks import keep_readable
from kcnn.data.frames import choose_frame
from kcnn.doctor.copies import copy_cases, copy_groups, representatives, to_leave_out
from kcnn.doctor.exact import exact_groups
from kcnn.doctor.masks import mask_cases
from kcnn.doctor.near import near_pairs
from kcnn.doctor.record import Case, Diagnosis, Histogram, findings_of
from kcnn.doctor.several import class_cases, group_cases
from kcnn.doctor.single import odd_cases, unreadable_cases
from kcnn.doctor.survey import survey
from kcnn.errors import UserError

BINS = 30
WIDE = 8  # largest over least: from there on bins grow by a factor
ORDER = ("train", "val", "test")
LEFT_OUT = ("unreadable", "truncated", "too_large", "blank", "tiny")  # kinds whose pictures the quarantine lists


def diagnose(dataset, options, progress=None):
    """The `Diagnosis` of a loaded `DataSet` under `options` (recipe.Data).

    `progress(what, done, total)` is called now and then; `what` is a word or two on the work in hand. Nothing is
    written, and what training would refuse is a finding, not an error.
    """
    look, compare = (_tell(progress, what) for what in ("reading pictures", "comparing"))
    seen = survey(dataset, options, look)
    cases, frame = {}, None
    try:
        examined = {split: seen.examination(split) for split in dataset.splits}
        frame = choose_frame(keep_readable(dataset, examined, options), options)
    except UserError as error:
        cases["refused"] = [Case(detail=str(error))]
    cases |= odd_cases(seen, dataset, frame)
    exact = exact_groups(seen, dataset, options.max_pixels)
    first = representatives(seen, exact)
    near = near_pairs(seen, dataset, first[seen.readable[first]], options.max_pixels, compare)
    groups = copy_groups(exact, near)
    cases |= unreadable_cases(seen, dataset, options)
    cases |= copy_cases(seen, groups) | class_cases(seen, dataset) | mask_cases(seen, dataset)
    cases |= group_cases(seen, dataset, options.group_column)
    splits = sorted(dataset.splits, key=_place)

    def by_class(counts):
        return {split: dict(zip(dataset.class_names, counts(split), strict=True)) for split in splits}

    return Diagnosis(
        written_by="kcnn check", name=dataset.name, format=dataset.format,
        pictures=len(seen), readable=int(seen.readable.sum()),
        splits=by_class(dataset.class_counts), sizes={split: len(dataset.splits[split]) for split in splits},
        places=by_class(dataset.class_pixels) if dataset.task == "masks" else {},
        boxes=dataset.task == "boxes", notes=tuple(dataset.notes), findings=findings_of(cases),
        histograms=(*_histograms(seen), *box_histograms(seen, dataset)),
        quarantine=_quarantine(seen, cases, groups),
    )  # fmt: skip


def _place(split):
    return (ORDER.index(split) if split in ORDER else len(ORDER), split)


def _tell(progress, what):
    return progress and (lambda done, total: progress(what, done, total))


def _quarantine(seen, cases, groups):
    """((name, reason), ...) sorted by name; a picture's first reason counts."""
    found = {}
    for kind in LEFT_OUT:
        for case in cases.get(kind, ()):
            reason = {"blank": "one colour", "tiny": f"tiny: {case.detail}"}.get(kind, case.detail)
            found.setdefault(case.pictures[0].name, reason)
    for i, reason in to_leave_out(seen, groups):
        found.setdefault(str(seen.names[i]), reason)
    return tuple(sorted(found.items()))


def _histograms(seen):
    """How the readable pictures' sides, aspects and brightness are spread; none where there are no pictures."""
    sizes = seen.sizes()[seen.readable].astype(np.float64)
    if not len(sizes) or sizes.min() < 1:
        return
    yield _histogram("Shorter side", "px", sizes.min(1))
    yield _histogram("Aspect", "width / height", sizes[:, 1] / sizes[:, 0])
    mean = np.array([seen.thumbs[i].mean() for i in np.flatnonzero(seen.readable)]) / 255
    if mean.any():
        yield _histogram("Brightness", "mean grey, 0 to 1", mean, 0.0, 1.0)


def box_histograms(seen, dataset):
    """How large training objects are and how many a picture has; none where there are no objects."""
    objects = dataset.splits["train"].objects if dataset.task == "boxes" else None
    if objects is None or not len(objects.boxes):
        return
    sizes = seen.sizes()[seen.splits == "train"].astype(np.float64)
    whole = np.maximum(np.repeat(np.prod(sizes, 1), objects.counts), 1)
    share = np.sqrt(np.prod(objects.boxes[:, 2:] - objects.boxes[:, :2], 1) / whole)
    yield _histogram("Side of a box", "share of the picture's", np.clip(share, 1e-4, 1), what="boxes")
    yield _histogram("Objects", "a picture", objects.counts.astype(float), 0.0, float(objects.counts.max() + 1))


def _histogram(title, unit, values, low=None, high=None, what="pictures"):
    """The record of `values`; without bounds from a little below the least to a little above the largest."""
    ratio = values.max() / max(values.min(), 1e-9) if low is None else 1
    if low is None:
        spare = 1.05 if ratio > WIDE else 1 + 0.04 * max(ratio - 1, 1)
        low, high = values.min() / spare, values.max() * spare
    edges = (np.geomspace if ratio > WIDE else np.linspace)(low, high, BINS + 1).round(6)
    counts = np.histogram(values, edges)[0].tolist()
    return Histogram(title=title, unit=unit, what=what, edges=edges.tolist(), counts=counts,
                     median=round(float(np.median(values)), 6), logarithmic=bool(ratio > WIDE))  # fmt: skip
