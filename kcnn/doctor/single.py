"""Findings about one picture each: what cannot be read, and what is odd about the rest."""

import numpy as np

from kcnn.data.headers import FORMATS
from kcnn.data.reasons import explain
from kcnn.data.samples import Arrays
from kcnn.doctor.record import Case, Shown

SUFFIXES = {
    "jpeg": {".jpg", ".jpeg", ".jpe", ".jfif"}, "png": {".png"}, "gif": {".gif"}, "bmp": {".bmp"}, "webp": {".webp"},
}  # fmt: skip
TINY = 8  # px
LONG = 3.0  # longer over shorter side
MOST = 50  # pictures of one group that a case shows
ONE_COLOUR = 1.5  # grey levels: the largest standard deviation of a picture without content


def shown(survey, i):
    """Picture `i` of the survey as the record shows it."""
    return Shown(name=str(survey.names[i]), split=str(survey.splits[i]), label=str(survey.labels[i]))


def more(members):
    """Words on the pictures of one group that a case does not show."""
    return f"; {len(members)} pictures, {MOST} shown" if len(members) > MOST else ""


def unreadable_cases(survey, dataset, options):
    """{kind: [Case]} of what training sets aside: unreadable, truncated and too_large."""
    cases = {}
    for i in np.flatnonzero(~survey.readable):
        reason = explain(dataset.splits[survey.splits[i]].images, survey.places[i], options.max_pixels)
        cases.setdefault(reason.kind, []).append(Case(pictures=(shown(survey, i),), detail=reason.text))
    return cases


def odd_cases(survey, dataset, frame=None):
    """{kind: [Case]} of readable pictures in files; `frame` is the network's (H, W, C), None if training is refused."""
    found = {}

    def add(kind, i, detail=""):
        found.setdefault(kind, []).append(Case(pictures=(shown(survey, i),), detail=detail))

    if any(isinstance(samples.images, Arrays) for samples in dataset.splits.values()):
        return {}  # all of one size, without a file
    sizes = survey.sizes()
    usual = np.median(sizes[survey.readable].min(1)) if survey.readable.any() else 0
    for i in np.flatnonzero(survey.readable):
        height, width = map(int, sizes[i])
        size, tiny = f"{width}x{height}", min(height, width) < TINY
        for mark in sorted(survey.marks[i]):
            add(mark, i)
        if real := _mismatch(survey, i):
            add("wrong_extension", i, f"is {real}")
        if tiny and usual >= TINY:
            add("tiny", i, size)
        elif frame and 2 * min(height, width) < min(frame[:2]):
            add("below_frame", i, f"{size}, frame {frame[1]}x{frame[0]}")
        if max(height, width) > LONG * min(height, width):
            add("long", i, size)
        if not tiny and _is_blank(survey, i):
            add("blank", i, size)
    return found | _mixed_colour(survey)


def _is_blank(survey, i):
    """True where no colour changes."""
    flat = survey.thumbs[i].std() < ONE_COLOUR and np.ptp(survey.colours[i], (0, 1)).max() < 4
    return bool(flat)


def _mismatch(survey, i):
    """The real format in capitals where the file's name says another."""
    name, real = str(survey.names[i]).lower(), FORMATS[survey.headers[i, 0]]
    said = next((format for format, ends in SUFFIXES.items() if name.endswith(tuple(ends))), None)
    return real.upper() if said and said != real else None


def _mixed_colour(survey):
    """One case where some JPEG or PNG pictures are grey and others are not: it says how many are grey in each class."""
    told = survey.readable & np.isin(survey.headers[:, 0], [FORMATS.index("jpeg"), FORMATS.index("png")])
    grey = told & (survey.headers[:, 3] == 1)
    if not grey.any() or not (told & ~grey).any():
        return {}
    labels, totals = np.unique(survey.labels[told], return_counts=True)
    counts = [f"{label} {int(grey[survey.labels == label].sum())} of {total}"
              for label, total in zip(labels[:10], totals[:10], strict=True)]  # fmt: skip
    detail = "grey pictures a class: " + ", ".join(counts) + (", ..." if len(labels) > 10 else "")
    return {"mixed_colour": [Case(pictures=tuple(shown(survey, i) for i in np.flatnonzero(grey)), detail=detail)]}
