"""COCO json: pictures with boxes of objects, and their outlines where they are wanted."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from kcnn.data.box_checks import BoxProblems
from kcnn.data.coco_files import described, format_of
from kcnn.data.coco_masks import area_of, inside
from kcnn.data.mask_values import encoded_mask
from kcnn.data.objects import MOST_OUTLINED, Objects
from kcnn.data.samples import DataSet, Encoded, Files, Samples, as_strings
from kcnn.errors import UserError


def read(address, options, seed, outlines=False):
    """The pictures that the json names, with the boxes of their objects; classes are the categories by their ids.

    outlines: with those of each object, drawn as masks.
    """
    root, found, names, notes = described(address, options, outlines=outlines)
    problems, splits, aside = BoxProblems(), {}, []
    for name, split in found.items():
        splits[name], left = _samples(split, root, len(names), problems, outlines)
        aside += split.left + left
    words = "with outlines" if outlines else "boxes"
    return DataSet(splits, names, False, f"{format_of(found)}, {words}", notes + problems.notes(), aside)


def _samples(split, root, num_classes, problems, outlines):
    """(the `Samples` of one file, [(name, reason)]); names are relative to the folder `root`."""
    paths = [os.path.join(split.pictures, name) for name, _, _ in split.rows]
    names = [os.path.relpath(place, root) for place in paths]
    kept, left = [], []
    for path, name, (_, size, objects) in zip(paths, names, split.rows, strict=True):
        try:
            kept.append((path, name, size, *_parts(objects, size, name, problems)))
        except UserError as error:
            left.append((name, str(error)))
    if not kept:
        raise UserError(f"{split.file}: no picture can be used; {left[0][0]}: {left[0][1]}")
    drawn = None
    if outlines:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            drawn = Encoded(as_strings(list(pool.map(lambda row: _drawn(row[2], row[3]), kept))))
    paths, names, sizes, _, *parts = zip(*kept, strict=True)
    objects = Objects.of(*parts, sizes=np.array(sizes, np.int32), outlines=drawn)
    return Samples(Files(as_strings(paths)), objects.occurring(num_classes), as_strings(names), objects=objects), left


def _parts(objects, size, name, problems):
    """(usable objects, their boxes, classes, crowds and areas) of one picture."""
    objects = [one for one in objects if one["class"] >= 0]
    boxes = [_box(one) for one in objects]
    boxes, usable = problems.usable(boxes, [one["class"] for one in objects], size, name)
    objects, boxes = [one for one, good in zip(objects, usable, strict=True) if good], boxes[usable]
    classes = np.array([one["class"] for one in objects], np.int32)
    crowd = np.array([bool(one.get("iscrowd")) for one in objects], bool)
    return objects, boxes, classes, crowd, np.array([area_of(one) for one in objects], np.float32)


def _box(one):
    """x0, y0, x1, y1 of an object; nan where its box cannot be read."""
    try:
        x, y, width, height = map(float, one["bbox"])
    except (KeyError, TypeError, ValueError):
        return [np.nan] * 4
    return [x, y, x + width, y + height]


def _drawn(size, objects):
    """A grey PNG: 1 + the place of the object that is seen, small ones over large ones; without outline its box."""
    mask = np.zeros(size, np.uint8)
    single = [k for k, one in enumerate(objects[:MOST_OUTLINED]) if not one.get("iscrowd")]
    for k in sorted(single, key=lambda k: -area_of(objects[k])):
        mask[inside(objects[k], size)] = k + 1
    return encoded_mask(mask)
