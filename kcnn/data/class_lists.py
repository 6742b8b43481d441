"""Class names that lie beside masks: a list, a table of names and colours, or a json of COCO, Decathlon or nnU-Net."""

import csv
import json
import re
from pathlib import Path
from typing import NamedTuple

from kcnn.disk import read_bounded
from kcnn.errors import UserError
from kcnn.masks import MOST_CLASSES

TABLES = ("class_dict.csv", "classes.csv", "colours.csv", "colors.csv", "colormap.csv")
LISTS = ("classes.txt", "labels.txt", "class_names.txt")
VOID = ("void", "ignore", "ignored", "unlabelled", "unlabeled")  # names in a table of what is not judged
MOST_FILES = 20  # of json that are looked into
NUMBERED = re.compile(r"(\d+)\s*[:,;\t ]\s*(\S.*)")


class ClassList(NamedTuple):
    """`names` in the order of class numbers; `colours` of them as 0xRRGGBB, or None; `file`: where they were found.

    `ignored`: the number that stands for what is not judged, beside 255, or None. `void`: the colours that do.
    """

    names: tuple[str, ...]
    colours: tuple[int, ...] | None
    file: str
    ignored: int | None = None
    void: tuple[int, ...] = ()


def class_list(*folders):
    """The first `ClassList` in `folders`, tables before lists before json; None where there is none.

    Raises UserError for one that cannot be understood.
    """
    for names, read in ((TABLES, _table), (LISTS, _list), (None, _from_json)):
        for folder in map(Path, folders):
            paths = sorted(folder.glob("*.json"))[:MOST_FILES] if names is None else [folder / name for name in names]
            for path in paths:
                if path.is_file() and (found := read(path)):
                    if len(found.names) > MOST_CLASSES:
                        raise UserError(f"{path} names {len(found.names)} classes; masks can hold {MOST_CLASSES}")
                    return found
    return None


def _text(path):
    try:
        return read_bounded(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} cannot be read as text: {error}") from None


def _table(path):
    rows = list(csv.DictReader(_text(path).splitlines(), restval="", skipinitialspace=True))
    rows = [{str(key).strip().lower(): value for key, value in row.items()} for row in rows]
    if not rows or not {"name", "r", "g", "b"} <= set(rows[0]):
        raise UserError(f"{path} needs the columns name, r, g, b and a line for each class")
    try:
        colours = [[int(row[key]) for key in "rgb"] for row in rows]
    except ValueError as error:
        raise UserError(f"{path}: r, g and b must be whole numbers: {error}") from None
    packed = tuple(r << 16 | g << 8 | b for r, g, b in colours)
    if min(map(min, colours)) < 0 or max(map(max, colours)) > 255 or len(set(packed)) < len(packed):
        raise UserError(f"{path}: r, g and b must lie between 0 and 255, and no two classes share a colour")
    named = [(row["name"].strip(), colour) for row, colour in zip(rows, packed, strict=True)]
    void = tuple(colour for name, colour in named if name.lower() in VOID)
    named = [(name, colour) for name, colour in named if colour not in void]
    if not named:
        raise UserError(f"{path} names no class beside what is not judged")
    names, packed = zip(*named, strict=True)
    return ClassList(names, packed, path.name, void=void)


def _list(path):
    lines = [line.strip() for line in _text(path).splitlines() if line.strip()]
    numbered = [NUMBERED.fullmatch(line) for line in lines]
    if lines and all(numbered) and sorted(int(m[1]) for m in numbered) == list(range(len(lines))):
        lines = [m[2] for m in sorted(numbered, key=lambda m: int(m[1]))]
    if len(set(lines)) < len(lines):
        twice = next(name for name in lines if lines.count(name) > 1)
        raise UserError(f"{path} names {twice!r} twice; give every class a name of its own")
    return ClassList(tuple(lines), None, path.name) if lines else None


def _from_json(path):
    """Names by the numbers of a json's categories, or labels if it is a dataset.json; None for any other json."""
    try:
        content = json.loads(_text(path))
        if path.name == "dataset.json" and isinstance(content.get("labels"), dict):
            return _labels(path, content["labels"])
        named = {int(row["id"]): str(row["name"]) for row in content["categories"]}
    except (UserError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return _numbered(path, named)


def _labels(path, labels):
    """Of {"0": name} as the Decathlon has it, or {name: 0} as nnU-Net: there "ignore" is the number not judged."""
    named = {int(key): name for key, name in labels.items()} if all(key.isdecimal() for key in labels) else None
    named = named if named is not None else {int(number): name for name, number in labels.items()}
    ignored = next((number for number, name in named.items() if name == "ignore"), None)
    return _numbered(path, {number: str(name) for number, name in named.items() if number != ignored}, ignored)


def _numbered(path, named, ignored=None):
    """The list of {number: name}, "background" as number 0 if that has none; None where numbers are no classes."""
    if not named or min(named) < 0 or max(named) >= MOST_CLASSES:
        return None
    named.setdefault(0, "background")
    names = tuple(named.get(number, f"class {number}") for number in range(max(named) + 1))
    return ClassList(names, None, path.name, ignored)
