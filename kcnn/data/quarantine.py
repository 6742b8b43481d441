"""Quarantine: a CSV list of pictures that training leaves out, as the data doctor writes it and people may edit it."""

import csv
import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from kcnn.disk import read_bounded
from kcnn.errors import UserError


def read(path):
    """{name: reason} in the CSV file `path`, which has the columns "name" and, if it likes, "reason"."""
    path = Path(path)
    if not os.path.isfile(path):
        raise UserError(f"data.quarantine: no such file: {path}; `kcnn check DATA --out FOLDER` writes one")
    try:
        text = read_bounded(path).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), restval=""))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"data.quarantine: {path} cannot be read as CSV: {error}") from None
    if rows and "name" not in rows[0]:
        raise UserError(f"data.quarantine: {path} needs a column 'name'; it has {', '.join(map(str, rows[0]))}")
    return {row["name"]: row.get("reason") or "" for row in rows if row["name"]}


def written(rows):
    """The bytes of the file for `rows` of (name, reason)."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("name", "reason"), *rows])
    return text.getvalue().encode()


def spelled(name):
    """A picture's name as UTF-8 can hold it: bytes of a file name that are no UTF-8 become \\udc.. in the list."""
    return str(name).encode("utf-8", "backslashreplace").decode()


def leave_out(dataset, path):
    """`dataset` without the pictures named in the file `path`, which a note counts."""
    names = read(path)
    splits, found, left = {}, set(), 0
    for split, samples in dataset.splits.items():
        spellings = [spelled(name) for name in samples.names]
        known = np.array([name in names for name in spellings], bool)
        found.update(name for name in spellings if name in names)
        left += int(known.sum())
        splits[split] = samples.take(np.flatnonzero(~known)) if known.any() else samples
    notes = [f"{left} pictures are left out: {path} names them (data.quarantine)"]
    if unknown := sorted(set(names) - found):
        notes.append(f"{len(unknown)} names in {path} are of no picture here, such as {unknown[0]!r}")
    splits = {split: samples for split, samples in splits.items() if len(samples)}
    return replace(dataset, splits=splits, notes=[*dataset.notes, *notes])
