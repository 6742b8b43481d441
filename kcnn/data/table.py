"""A CSV file: one row a picture, columns for file name, class, weight and split."""

import csv
import os
from pathlib import Path

import numpy as np

from kcnn.data.labels import from_names, from_sets
from kcnn.data.samples import DataSet, Files, Samples, as_strings
from kcnn.data.splits import split_name
from kcnn.errors import UserError, unknown_name


def read(address, options, seed):
    """The rows of the CSV (or TSV) file `address`, in its order; names of files are relative to its folder.

    A '|' in any label makes the data multi-label, where a picture may have no label. Raises UserError naming the
    line for a missing label, a weight that is no number from 0 up, and for unknown columns.
    """
    path = Path(address)
    rows, columns = rows_of(path)
    image, label = (_column(path, columns, options, field) for field in ("image_column", "label_column"))
    weight, split = (_column(path, columns, options, field) for field in ("weight_column", "split_column"))
    several = any("|" in row[label] for _, row in rows)
    labels, class_names = _labels(path, rows, label, several)
    _column(path, columns, options, "group_column")
    weights = _weights(path, rows, weight) if weight else None
    names = as_strings([cell(path, line, row, image) for line, row in rows])
    files = Files(as_strings([os.path.join(path.parent, name) for name in names]))
    others = {
        name: as_strings([row[name].strip() for _, row in rows]) for name in columns if name not in (image, label)
    }
    everything = Samples(files, labels, names, weights, others)
    splits = _splits(everything, [split_name(row[split] or "train") for _, row in rows]) if split else None
    notes = []
    if not split and "split" in columns:
        notes.append("the column 'split' is not used; data.split_column = 'split' would use it")
    format = f"a CSV file of {len(rows)} rows" + (", several labels a picture" if several else "")
    return DataSet(splits or {"train": everything}, class_names, several, format, notes)


def rows_of(path):
    """([(line number, {column: text})], columns) of the file."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", restval="")
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise UserError(f"no such file: {path} (looked from {Path.cwd()})") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"data {path} cannot be read as CSV: {error}") from None
    if not rows:
        raise UserError(f"data {path} has no rows; it needs a header line and one line a picture")
    return rows, list(reader.fieldnames)


def _column(path, columns, options, field):
    name = getattr(options, field)
    if name is not None and name not in columns:
        raise UserError(f"data.{field}: {unknown_name('column', name, columns)} (in {path.name})")
    return name


def cell(path, line, row, column):
    if not row[column].strip():
        raise UserError(f"data {path.name} line {line}: column {column!r} is empty")
    return row[column].strip()


def _labels(path, rows, column, several):
    if several:
        return from_sets([{name.strip() for name in row[column].split("|") if name.strip()} for _, row in rows])
    return from_names([cell(path, line, row, column) for line, row in rows])


def _weights(path, rows, column):
    weights = np.empty(len(rows), np.float32)
    for i, (line, row) in enumerate(rows):
        try:
            weights[i] = float(row[column])
        except ValueError:
            weights[i] = np.nan
        if not (np.isfinite(weights[i]) and weights[i] >= 0):
            raise UserError(f"data {path.name} line {line}: a weight must be a number from 0 up, not {row[column]!r}")
    if not weights.any():
        raise UserError(f"data {path.name}: all weights in column {column!r} are 0")
    return weights


def _splits(samples, names):
    names = np.array(names)
    return {name: samples.take(np.flatnonzero(names == name)) for name in sorted(set(names.tolist()))}
