"""COCO json: which files of a folder are, and what they say. One file, or a folder with one a split."""

import json
import mmap
import os
import re
from array import array
from contextlib import suppress
from pathlib import Path, PurePath
from typing import NamedTuple

from kcnn.data.folder import folders_in
from kcnn.data.splits import split_name
from kcnn.errors import UserError

KEYS = ("images", "annotations", "categories")
LOOKED_AT = 1 << 14  # bytes at both ends of a file by which it is recognised
MARKS = re.compile(r"^(?:instances|annotations)_|_?annotations(?:\.coco)?$|_?(?:19|20)\d\d$")


class Described(NamedTuple):
    """One split of COCO json: `file`; `pictures`, the folder of its pictures; `rows` of (file name, (height, width),
    its objects, dicts as COCO has them plus "class"); `left`, [(name, reason)] of pictures that are too large."""

    file: Path
    pictures: Path
    rows: list
    left: list


def accepts(address):
    """True for a .json file, and for a folder that holds COCO json."""
    if os.path.isdir(address):
        return bool(_files(Path(address)))
    return str(address).lower().endswith(".json") and os.path.isfile(address)


def described(address, options, first=0, outlines=True):
    """(folder that names are relative to, {split: `Described`}, class names, notes) of the json at `address`.

    Classes are the categories by their ids, numbered from `first`; one called background has the number before it.
    Without `outlines` those of objects that say their area are dropped while the file is read: they are most of it.
    """
    path = Path(address)
    files = _files(path) if path.is_dir() else {"train": path}
    loaded = {split: _loaded(file, outlines) for split, file in files.items()}
    class_names, numbers = _classes(loaded, files, first)
    found = {}
    for split, content in loaded.items():
        file = files[split]
        rows, left = _rows(content, _by_picture(content, numbers, file), file, options.max_pixels)
        found[split] = Described(file, _picture_folder(file, split, rows[0][0]), rows, left)
    notes = _left_out(files.values()) if path.is_dir() else []
    return path if path.is_dir() else path.parent, found, class_names, notes


def format_of(found):
    """What was recognised, in words."""
    return f"COCO json ({', '.join(split.file.name for split in found.values())})"


def _files(root):
    """{split: json} of a folder: beside the folders of pictures, in one called annotations, or in each split's own."""
    inside = folders_in(root)
    places = [root, *(folder for folder in inside if folder.name.lower() == "annotations")]
    for found in map(_recognised, places):
        if found:
            named = _by_split([(_split_of(path.stem), path) for path in _chosen(found)])
            return named if len(named) > 1 or "train" in named else {"train": next(iter(named.values()))}
    own = [(split_name(folder.name), sorted(folder.glob("*.json"))) for folder in inside]
    return _by_split([(split, paths[0]) for split, paths in own if len(paths) == 1 and _looks_right(paths[0])])


def _recognised(folder):
    return [path for path in sorted(folder.glob("*.json")) if _looks_right(path)]


def _chosen(paths):
    """Those called instances_*, where there are any: COCO's own folder has key points and others beside them."""
    return [path for path in paths if path.name.startswith("instances_")] or paths


def _by_split(pairs):
    named = {}
    for split, path in pairs:
        if split in named:
            raise UserError(f"{named[split]} and {path} are both of split {split!r}; move or rename one of them")
        named[split] = path
    return named


def _left_out(files):
    """A note on COCO json beside `files` that is not read."""
    folders = dict.fromkeys(path.parent for path in files)
    others = [path.name for folder in folders for path in _recognised(folder) if path not in files]
    return [f"only instances_* are read, not {', '.join(others)}; give one of these to use it"] if others else []


def _split_of(stem):
    while (shorter := MARKS.sub("", stem)) not in ("", stem):
        stem = shorter
    return split_name(stem)


def _looks_right(path):
    """True for a file that names all three lists; it is looked through only where its ends name two."""
    names = [f'"{key}"'.encode() for key in KEYS]
    with open(path, "rb") as file:
        ends = file.read(LOOKED_AT)
        file.seek(max(0, os.path.getsize(path) - LOOKED_AT))
        ends += file.read(LOOKED_AT)
        if sum(name in ends for name in names) < 2:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return all(content.find(name) >= 0 for name in names)


def _without_outline(row):
    if "area" in row:
        row.pop("segmentation", None)
    return row


def _packed(row):
    """A dict of the file with its polygons in a quarter of the memory; what is no list of numbers stays as it is."""
    outline = row.get("segmentation")
    if isinstance(outline, list):
        with suppress(TypeError, OverflowError):
            row["segmentation"] = [array("d", polygon) for polygon in outline]
    return row


def _loaded(path, outlines):
    try:
        text = path.read_text("utf-8-sig")
        content = json.loads(text, object_hook=_packed if outlines else _without_outline)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no intact JSON file: {error}") from None
    lists = isinstance(content, dict) and all(isinstance(content.get(key), list) for key in KEYS)
    if not lists or not all(isinstance(row, dict) for key in KEYS for row in content[key]):
        raise UserError(f"{path} is no COCO json: it needs lists of objects called {', '.join(KEYS)}")
    if not content["images"]:
        raise UserError(f"{path} names no pictures")
    return content


def _classes(loaded, files, start):
    """(class names, {category id: class number}); all files must name the same categories."""
    first, found = None, None
    for split, content in loaded.items():
        try:
            rows = {int(row["id"]): str(row["name"]) for row in content["categories"]}
        except (KeyError, TypeError, ValueError):
            raise UserError(f"{files[split]}: every category needs an id and a name") from None
        if found is not None and rows != found:
            raise UserError(f"{files[split]} names other categories than {first}: give one list of them to all")
        first, found = first or files[split], rows
    names = {number: name for number, name in sorted(found.items()) if name.lower() != "background"}
    if not names:
        raise UserError(f"{first} names no categories")
    numbers = dict.fromkeys(found, start - 1) | {number: k for k, number in enumerate(names, start)}
    return tuple(names.values()), numbers


def _by_picture(content, numbers, path):
    """{picture's id: [its objects, each with its class number]}."""
    known = {row.get("id") for row in content["images"]}
    if len(known) < len(content["images"]):
        raise UserError(f"{path}: two pictures share an id, or have none")
    found = {}
    for one in content["annotations"]:
        if one.get("image_id") not in known:
            raise UserError(
                f"{path}: annotation {one.get('id')} is of picture {one.get('image_id')}, which is not listed"
            )
        if one.get("category_id") not in numbers:
            raise UserError(
                f"{path}: annotation {one.get('id')} is of category {one.get('category_id')}, which has no name"
            )
        found.setdefault(one["image_id"], []).append(one | {"class": numbers[one["category_id"]]})
    return found


def _rows(content, objects, path, max_pixels):
    """([(file name, (height, width), objects)], [(name, reason)]) of one file."""
    rows, left = [], []
    for row in content["images"]:
        name, size = row.get("file_name"), (row.get("height"), row.get("width"))
        if not isinstance(name, str) or not all(isinstance(n, int) and n > 0 for n in size):
            raise UserError(f"{path}: picture {row.get('id')} needs a file_name, and a height and a width above 0")
        if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
            raise UserError(f"{path}: the file_name {name!r} leaves the folder of the pictures; give names below it")
        if size[0] * size[1] > max_pixels:
            left.append((name, f"{size[1]}x{size[0]} has more than {max_pixels} pixels (data.max_pixels)"))
        else:
            rows.append((name, size, objects.get(row["id"], [])))
    if not rows:
        raise UserError(f"{path}: no picture can be used; {left[0][0]}: {left[0][1]}")
    return rows, left


def _picture_folder(path, split, name):
    """The folder below which `name` lies: beside the json, one called as it or as its split, or one called images."""
    around = [path.parent, path.parent.parent] if path.parent.name.lower() == "annotations" else [path.parent]
    stems = dict.fromkeys([path.stem, MARKS.sub("", path.stem), re.sub(r"^instances_", "", path.stem), split])
    inner = [place for stem in stems for place in (stem, f"images/{stem}", f"{stem}/images")]
    tried = [root / place for root in around for place in (*inner, "images", "JPEGImages", ".")]
    for folder in tried:
        if (folder / name).is_file():
            return folder
    raise UserError(f"{path}: no picture {name} in {tried[0]}, {around[-1] / 'images'} or {around[-1]}")
