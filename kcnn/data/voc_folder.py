"""Pascal VOC: pictures, and an .xml file of objects for each (Everingham et al. 2010)."""

import os
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from kcnn.data.box_checks import BoxProblems
from kcnn.data.folder import folders_in
from kcnn.data.labels import class_order
from kcnn.data.object_samples import Boxed, samples_of, size_of
from kcnn.data.samples import DataSet
from kcnn.data.splits import KNOWN, split_name
from kcnn.errors import UserError

MOST_BYTES = 1 << 24  # of one .xml file
CORNERS = ("xmin", "ymin", "xmax", "ymax")


def accepts(address):
    """True for a folder with Annotations/*.xml, or with split folders, or one folder, of pictures beside .xml files."""
    return os.path.isdir(address) and bool(_listed(Path(address))[0])


def read(address, options, seed, outlines=False):
    """The pictures of each split with their boxes. Objects that are called difficult count as crowds.

    Corners count pixels from 1 on, the last ones included, as VOC's do.
    """
    root, problems, parsed = Path(address), BoxProblems(), {}
    listed, aside = _listed(root)
    for split, files in listed.items():
        rows, left = _rows(root, files)
        if not rows:
            raise UserError(f"{root}: no picture of split {split!r} can be used; {left[0][0]}: {left[0][1]}")
        parsed[split] = rows
        aside += left
    names = class_order(name for rows in parsed.values() for row in rows for name in row.classes)
    number = {name: k for k, name in enumerate(names)}
    splits = {}
    for split, rows in parsed.items():
        rows = [row._replace(classes=np.array([number[name] for name in row.classes], np.int32)) for row in rows]
        splits[split] = samples_of(rows, len(names), problems, outlines)
    return DataSet(splits, names, False, "Pascal VOC: pictures with .xml files of boxes", problems.notes(), aside)


def _listed(root):
    """({split: its .xml files}, [(name in a list, why it is set aside)]); ({}, []) where this is no such folder."""
    folder = root / "Annotations"
    if folder.is_dir():
        return _by_lists(root, sorted(folder.glob("*.xml")))
    found = {split_name(f.name): sorted(f.glob("*.xml")) for f in folders_in(root) if split_name(f.name) in KNOWN}
    found = {split: files for split, files in found.items() if files}
    return found or ({"train": files} if (files := sorted(root.glob("*.xml"))) else {}), []


def _by_lists(root, files):
    """The same by the lists of names in ImageSets/Main, where there are some called train, val or test."""
    named, aside, known = {}, [], {file.stem: file for file in files}
    for path in sorted((root / "ImageSets" / "Main").glob("*.txt")):
        if split_name(path.stem) in KNOWN:
            words = [line.split()[0] for line in path.read_text("utf-8").splitlines() if line.strip()]
            named[split_name(path.stem)] = [known[word] for word in words if word in known]
            missing = f"is in {path.relative_to(root)}, and there is no .xml of it"
            aside += [(word, missing) for word in words if word not in known]
    named = {split: some for split, some in named.items() if some}
    unnamed = set(files) - {file for some in named.values() for file in some} if named else ()
    aside += [(str(file.relative_to(root)), "is in no list of ImageSets/Main") for file in sorted(unnamed)]
    return named or ({"train": files} if files else {}), aside


def _rows(root, files):
    rows, left = [], []
    for file in files:
        try:
            rows.append(_boxed(root, file))
        except UserError as error:
            left.append((os.path.relpath(file, root), str(error)))
    return rows, left


def _boxed(root, file):
    tree = _parsed(file)
    path = _picture(root, file, tree.findtext("filename") or "")
    objects = tree.findall("object")
    boxes, names, crowd = np.zeros((len(objects), 4)), [], np.zeros(len(objects), bool)
    for i, one in enumerate(objects):
        name, box = (one.findtext("name") or "").strip(), one.find("bndbox")
        if not name or box is None:
            raise UserError(f"object {i + 1} of {file.name} needs a name and a bndbox")
        try:
            boxes[i] = [float(box.findtext(key) or "nan") for key in CORNERS]
        except ValueError as error:
            raise UserError(f"object {i + 1} of {file.name}: {error}") from None
        names.append(name)
        crowd[i] = (one.findtext("difficult") or "0").strip() == "1"
    boxes[:, :2] -= 1
    return Boxed(str(path), os.path.relpath(path, root), size_of(path), boxes, names, crowd, [None] * len(objects))


def _parsed(file):
    try:
        content = file.read_bytes() if file.stat().st_size <= MOST_BYTES else b""
        if not content or b"<!DOCTYPE" in content or b"<!ENTITY" in content:
            raise UserError(f"{file.name} is empty, too large, or defines entities")
        return ElementTree.fromstring(content)
    except (OSError, ElementTree.ParseError) as error:
        raise UserError(f"{file.name} cannot be read as XML: {error}") from None


def _picture(root, file, stated):
    """The picture of an .xml file: beside it, or in JPEGImages or images; by the name it states, or its own."""
    stated = os.path.basename(stated.replace("\\", "/"))
    folders = [file.parent, root / "JPEGImages", root / "images"]
    names = [stated, *(file.stem + suffix for suffix in (".jpg", ".jpeg", ".png", ".JPG", ".bmp", ".webp"))]
    for folder in folders:
        for name in filter(None, names):
            if (folder / name).is_file():
                return folder / name
    raise UserError(f"its picture {stated or file.stem} is neither beside it nor in {root / 'JPEGImages'}")
