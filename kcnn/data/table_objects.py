"""A CSV file with a row an object: file name, class, xmin, ymin, xmax, ymax in pixels. A row without them is a picture
without an object."""

import os
from pathlib import Path

import numpy as np

from kcnn.data.box_checks import BoxProblems
from kcnn.data.labels import class_order
from kcnn.data.object_samples import Boxed, samples_of, size_of
from kcnn.data.samples import DataSet
from kcnn.data.splits import split_name
from kcnn.data.table import cell, rows_of
from kcnn.errors import UserError, unknown_name

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read(address, options, seed, outlines=False):
    """The pictures that the file `address` names, in its order, with their boxes; names are relative to its folder."""
    path = Path(address)
    rows, columns = rows_of(path)
    for name in (options.image_column, options.label_column, *CORNERS, *filter(None, [options.split_column])):
        if name not in columns:
            raise UserError(f"data {path.name} has no column for boxes: {unknown_name('column', name, columns)}")
    label = options.label_column
    names = class_order(cell(path, line, row, label) for line, row in rows if row[CORNERS[0]].strip())
    number, pictures = {name: k for k, name in enumerate(names)}, {}
    for line, row in rows:
        split = split_name(row[options.split_column] or "train") if options.split_column else "train"
        found = pictures.setdefault((split, row[options.image_column].strip()), [])
        if row[CORNERS[0]].strip():
            found.append((_box(path, line, row), number[cell(path, line, row, label)]))
    problems, splits, aside = BoxProblems(), {}, []
    for (split, name), objects in pictures.items():
        try:
            splits.setdefault(split, []).append(_boxed(path.parent, name, objects))
        except UserError as error:
            aside.append((name, str(error)))
    splits = {split: rows for split, rows in splits.items() if rows}
    if not splits:
        raise UserError(f"data {path.name}: no picture can be used; {aside[0][0]}: {aside[0][1]}")
    made = {split: samples_of(some, len(names), problems, outlines) for split, some in splits.items()}
    format = f"a CSV file of {len(rows)} boxes"
    return DataSet(made, names, False, format, problems.notes(), aside)


def _box(path, line, row):
    try:
        return [float(row[name]) for name in CORNERS]
    except ValueError:
        raise UserError(f"data {path.name} line {line}: {', '.join(CORNERS)} must be numbers") from None


def _boxed(folder, name, objects):
    place = os.path.join(folder, name)
    boxes = np.array([box for box, _ in objects], float).reshape(-1, 4)
    classes = np.array([kind for _, kind in objects], np.int32)
    return Boxed(place, name, size_of(place), boxes, classes, np.zeros(len(objects), bool), [None] * len(objects))
