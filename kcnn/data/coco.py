"""COCO json: pictures with outlined objects, made into masks. One file, or a folder with one a split."""

import json
import mmap
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath

from kcnn.data.coco_masks import render
from kcnn.data.folder import folders_in
from kcnn.data.mask_classes import notes_of
from kcnn.data.mask_values import count_pixels, encoded_mask, occurring
from kcnn.data.samples import DataSet, Encoded, Files, Samples, as_strings
from kcnn.data.splits import split_name
from kcnn.errors import UserError
from kcnn.masks import MOST_CLASSES

KEYS = ("images", "annotations", "categories")
LOOKED_AT = 1 << 14  # bytes at both ends of a file by which it is recognised
MARKS = re.compile(r"^(?:instances|annotations)_|_?annotations(?:\.coco)?$|_?(?:19|20)\d\d$")


def accepts(address):
    """True for a .json file, and for a folder that holds COCO json."""
    if os.path.isdir(address):
        return bool(_files(Path(address)))
    return str(address).lower().endswith(".json") and os.path.isfile(address)


def read(address, options, seed):
    """The pictures that the json names and masks of their objects: 0 is the background, then classes by their ids."""
    path = Path(address)
    root = path if path.is_dir() else path.parent
    files = _files(path) if path.is_dir() else {"train": path}
    loaded = {split: _loaded(file) for split, file in files.items()}
    class_names, numbers = _classes(loaded, files)
    splits, aside, boxes = {}, [], 0
    for split, content in loaded.items():
        objects = _by_picture(content, numbers, files[split])
        outlined = sum(bool(one.get("segmentation")) for some in objects.values() for one in some)
        boxes += sum(map(len, objects.values())) - outlined
        if objects and not outlined:
            raise UserError(f"{files[split]}: its objects have boxes alone; masks need outlines (segmentation)")
        rows, left = _rows(content, objects, files[split], options.max_pixels)
        splits[split], unread = _samples(rows, files[split], split, root, len(class_names))
        aside += left + unread
    notes = _left_out(files.values()) if path.is_dir() else []
    notes += [f"{boxes} objects have a box alone: what is in it is not judged"] if boxes else []
    notes += notes_of(splits, class_names)
    format = f"COCO json ({', '.join(file.name for file in files.values())}), objects drawn as masks"
    return DataSet(splits, class_names, False, format, notes, aside)


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


def _loaded(path):
    try:
        content = json.loads(path.read_bytes())
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


def _classes(loaded, files):
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
    if not 0 < len(names) < MOST_CLASSES:
        raise UserError(f"{first} names {len(names)} categories; masks can hold 1 to {MOST_CLASSES - 1}")
    numbers = dict.fromkeys(found, 0) | {number: k for k, number in enumerate(names, 1)}
    return ("background", *names.values()), numbers


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


def _samples(rows, path, split, root, num_classes):
    """(the `Samples` of one file, [(name, reason)]); names are relative to the folder `root`."""
    folder = _picture_folder(path, split, rows[0][0])
    paths = [os.path.join(folder, name) for name, _, _ in rows]
    names = [os.path.relpath(place, root) for place in paths]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        drawn = list(pool.map(lambda row: _drawn(*row[1:]), rows))
    left = [(name, made) for name, made in zip(names, drawn, strict=True) if isinstance(made, str)]
    kept = [row for row in zip(paths, names, drawn, strict=True) if isinstance(row[2], bytes)]
    if not kept:
        raise UserError(f"{path}: no picture can be used; {left[0][0]}: {left[0][1]}")
    paths, names, masks = map(as_strings, zip(*kept, strict=True))
    masks = Encoded(masks)
    pixels = count_pixels(masks, num_classes)
    return Samples(Files(paths), occurring(pixels), names, masks=masks, pixels=pixels), left


def _drawn(size, objects):
    """The mask as a grey PNG, or a str: why it cannot be drawn."""
    try:
        return encoded_mask(render(size, objects))
    except UserError as error:
        return str(error)


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
