"""COCO json: pictures with outlined objects, made into masks."""

import os
from concurrent.futures import ThreadPoolExecutor

from kcnn.data import coco_objects
from kcnn.data.coco_files import described, format_of
from kcnn.data.coco_masks import render
from kcnn.data.mask_classes import notes_of
from kcnn.data.mask_values import count_pixels, encoded_mask, occurring
from kcnn.data.samples import DataSet, Encoded, Files, Samples, as_strings
from kcnn.errors import UserError
from kcnn.masks import MOST_CLASSES


def read(address, options, seed):
    """The pictures that the json names and masks of their objects: 0 is the background, then classes by their ids."""
    root, found, names, notes = described(address, options, first=1)
    if len(names) >= MOST_CLASSES:
        raise UserError(f"{address} names {len(names)} categories; masks can hold 1 to {MOST_CLASSES - 1}")
    class_names, splits, aside = ("background", *names), {}, []
    objects = {name: [one for _, _, some in split.rows for one in some] for name, split in found.items()}
    outlined = {name: sum(bool(one.get("segmentation")) for one in some) for name, some in objects.items()}
    if any(objects.values()) and not any(outlined.values()):
        return coco_objects.read(address, options, seed)  # boxes alone: a detector's data
    boxes = sum(map(len, objects.values())) - sum(outlined.values())
    for name, split in found.items():
        if objects[name] and not outlined[name]:
            raise UserError(
                f"{split.file} has boxes alone, and other splits have outlines: give outlines in all of them, or set "
                "model.head to a detector, such as yolo"
            )
        splits[name], unread = _samples(split, root, len(class_names))
        aside += split.left + unread
    notes += [f"{boxes} objects have a box alone: what is in it is not judged"] if boxes else []
    notes += notes_of(splits, class_names)
    return DataSet(splits, class_names, False, f"{format_of(found)}, objects drawn as masks", notes, aside)


def _samples(split, root, num_classes):
    """(the `Samples` of one file, [(name, reason)]); names are relative to the folder `root`."""
    paths = [os.path.join(split.pictures, name) for name, _, _ in split.rows]
    names = [os.path.relpath(place, root) for place in paths]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        drawn = list(pool.map(lambda row: _drawn(*row[1:]), split.rows))
    left = [(name, made) for name, made in zip(names, drawn, strict=True) if isinstance(made, str)]
    kept = [row for row in zip(paths, names, drawn, strict=True) if isinstance(row[2], bytes)]
    if not kept:
        raise UserError(f"{split.file}: no picture can be used; {left[0][0]}: {left[0][1]}")
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
