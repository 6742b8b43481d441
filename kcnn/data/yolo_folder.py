"""Folders as YOLO's tools have them: pictures, and beside each a .txt with a line an object, in shares of the picture.

A line is `class x y width height`, x and y of the box's centre, or `class x y x y x y …` of an outline. Which number is
which class says a .yaml file in the folder, or classes.txt.
"""

import os
from pathlib import Path

import numpy as np

from kcnn.data.box_checks import BoxProblems
from kcnn.data.folder import folders_in, pictures_below
from kcnn.data.object_samples import Boxed, samples_of, size_of
from kcnn.data.samples import DataSet
from kcnn.data.splits import KNOWN, split_name
from kcnn.errors import UserError

LAYOUTS = (
    "DIR/images/train with DIR/labels/train, DIR/train/images with DIR/train/labels, or DIR/images with DIR/labels"
)
SHOWN = 3


def accepts(address):
    """True for a folder with a folder of labels that holds .txt files, and pictures in one called images beside it."""
    return os.path.isdir(address) and bool(_pairs(Path(address)))


def read(address, options, seed, outlines=False):
    """The pictures of each split with their boxes; a picture without a file of labels has no object."""
    root = Path(address)
    names, problems, splits, notes, aside = _class_names(root), BoxProblems(), {}, [], []
    for split, (pictures, labels) in _pairs(root).items():
        rows, left, told = _rows(root, pictures, labels, names)
        if not rows:
            raise UserError(f"{pictures}: no picture can be used; {left[0][0]}: {left[0][1]}")
        splits[split] = rows
        aside += left
        notes += told
    highest = max((int(row.classes.max(initial=-1)) for rows in splits.values() for row in rows), default=-1)
    names = names or tuple(map(str, range(highest + 1)))
    made = {split: samples_of(rows, len(names), problems, outlines) for split, rows in splits.items()}
    format = "YOLO: pictures with .txt files of boxes"
    return DataSet(made, names, False, format, notes + problems.notes(), aside)


def _pairs(root):
    """{split: (folder of pictures, folder of labels)}, {} where this is no such folder."""
    images, labels = root / "images", root / "labels"
    if images.is_dir() and labels.is_dir():
        inner = {split_name(folder.name): folder.name for folder in folders_in(images)}
        found = {split: (images / name, labels / name) for split, name in inner.items() if split in KNOWN}
        found = {split: pair for split, pair in found.items() if _has_labels(pair[1])} or {"train": (images, labels)}
    else:
        folders = {split_name(f.name): (f / "images", f / "labels") for f in folders_in(root)}
        found = {split: pair for split, pair in folders.items() if all(part.is_dir() for part in pair)}
    return {split: pair for split, pair in sorted(found.items()) if _has_labels(pair[1])}


def _has_labels(folder):
    return folder.is_dir() and next(folder.rglob("*.txt"), None) is not None


def _class_names(root):
    """The classes' names as a .yaml file or classes.txt lists them, () where neither does."""
    import yaml

    for path in sorted([*root.glob("*.yaml"), *root.glob("*.yml")]):
        try:
            content = yaml.safe_load(path.read_text("utf-8-sig"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UserError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from None
        names = content.get("names") if isinstance(content, dict) else None
        if isinstance(names, dict) and all(isinstance(k, int) and k >= 0 for k in names):
            return tuple(str(names.get(k, k)) for k in range(max(names, default=-1) + 1))
        if isinstance(names, list):
            return tuple(map(str, names))
    listed = next((root / name for name in ("classes.txt", "labels/classes.txt") if (root / name).is_file()), None)
    return tuple(line.strip() for line in listed.read_text("utf-8-sig").splitlines() if line.strip()) if listed else ()


def _rows(root, pictures, labels, names):
    """([`Boxed`], [(name, reason)], notes) of the pictures of one split."""
    rows, left, empty, paths = [], [], 0, pictures_below(pictures, [])
    wanted = set()
    for path in paths:
        file = (labels / os.path.relpath(path, pictures)).with_suffix(".txt")
        wanted.add(file)
        name = os.path.relpath(path, root)
        empty += not file.is_file()
        try:
            rows.append(_boxed(path, name, file, names))
        except UserError as error:
            left.append((name, str(error)))
    notes = []
    if empty:
        notes.append(f"{empty} of {len(paths)} pictures of {pictures.name} have no file of labels: they show no object")
    alone = sorted(file.name for file in labels.rglob("*.txt") if file not in wanted and file.name != "classes.txt")
    if alone:
        shown = ", ".join(alone[:SHOWN]) + (" …" if len(alone) > SHOWN else "")
        notes.append(f"{len(alone)} files of labels have no picture in {pictures} ({shown}); {LAYOUTS} is expected")
    return rows, left, notes


def _boxed(path, name, file, names):
    size = size_of(path)
    lines = _lines(file) if file.is_file() else []
    boxes, classes, outlines = np.zeros((len(lines), 4)), np.zeros(len(lines), np.int32), []
    for i, (number, values) in enumerate(lines):
        kind, *places = values
        if kind != int(kind) or kind < 0 or (names and kind >= len(names)):
            known = f"; {len(names)} classes are named" if names else ""
            raise UserError(f"{file.name} line {number}: the class {kind:g} is unknown{known}")
        classes[i] = int(kind)
        boxes[i], outline = _placed(np.array(places), size)
        outlines.append(outline)
    return Boxed(str(path), name, size, boxes, classes, np.zeros(len(lines), bool), outlines)


def _placed(places, size):
    """(x0, y0, x1, y1), and the outline [x, y, …] or None, in pixels of a picture of `size`."""
    scale = np.array(size[::-1], float)
    if len(places) == 4:
        centre, sides = places[:2] * scale, places[2:] * scale
        return [*(centre - sides / 2), *(centre + sides / 2)], None
    points = places.reshape(-1, 2) * scale
    return [*points.min(0), *points.max(0)], points.ravel().tolist()


def _lines(file):
    """[(line number, numbers)] of a file of labels."""
    try:
        lines = file.read_text("utf-8-sig").splitlines()
        found = [(i, [float(word) for word in line.split()]) for i, line in enumerate(lines, 1) if line.strip()]
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UserError(f"{file.name} cannot be read as numbers: {error}") from None
    for i, values in found:
        if len(values) != 5 and (len(values) < 7 or len(values) % 2 == 0):
            raise UserError(f"{file.name} line {i}: a box has 5 numbers, an outline 7, 9 or more, not {len(values)}")
        if not np.isfinite(values).all():
            raise UserError(f"{file.name} line {i}: {values} are not all numbers")
    return found
