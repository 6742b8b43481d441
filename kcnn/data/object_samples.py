"""From pictures with the boxes that a file gives for each to samples: what all readers of boxes do last."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from kcnn.data.coco_masks import inside
from kcnn.data.mask_values import encoded_mask
from kcnn.data.objects import MOST_OUTLINED, Objects
from kcnn.data.samples import Encoded, Files, Samples, as_strings
from kcnn.errors import UserError


class Boxed(NamedTuple):
    """One picture: `path` of its file, `name` for people, `size` (height, width), and of its n objects `boxes` (n, 4)
    xyxy, `classes`, `crowd` (n,) and `outlines`, a polygon [x, y, x, y, …] each, or None for its box."""

    path: str
    name: str
    size: tuple
    boxes: np.ndarray
    classes: np.ndarray
    crowd: np.ndarray
    outlines: list


def samples_of(rows, num_classes, problems, outlined):
    """The `Samples` of `Boxed` pictures; wrong boxes are noted in `problems`, outlines drawn if `outlined`."""
    kept = [_usable(row, problems) for row in rows]
    drawn = None
    if outlined:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            drawn = Encoded(as_strings(list(pool.map(_drawn, kept))))
    objects = Objects.of(
        [row.boxes for row in kept], [row.classes for row in kept], [row.crowd for row in kept],
        sizes=np.array([row.size for row in kept], np.int32).reshape(-1, 2), outlines=drawn,
    )  # fmt: skip
    paths, names = (as_strings([getattr(row, key) for row in kept]) for key in ("path", "name"))
    return Samples(Files(paths), objects.occurring(num_classes), names, objects=objects)


def size_of(path):
    """(height, width) of the upright picture in a file, open or at a path, by its header; raises `UserError`."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            width, height = picture.size
            turned = picture.getexif().get(0x0112, 1) > 4
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"cannot be read: {error}") from None
    return (width, height) if turned else (height, width)


def _usable(row, problems):
    boxes, good = problems.usable(row.boxes, row.classes, row.size, row.name)
    outlines = [outline for outline, keep in zip(row.outlines, good, strict=True) if keep]
    return row._replace(boxes=boxes[good], classes=row.classes[good], crowd=row.crowd[good], outlines=outlines)


def _drawn(row):
    """A grey PNG: 1 + the place of the object that is seen, small ones over large ones."""
    mask = np.zeros(row.size, np.uint8)
    areas = np.prod(row.boxes[:, 2:] - row.boxes[:, :2], 1)
    for k in np.argsort(-areas, kind="stable"):
        if k < MOST_OUTLINED and not row.crowd[k]:
            mask[inside(_as_coco(row, k), row.size)] = k + 1
    return encoded_mask(mask)


def _as_coco(row, k):
    box = row.boxes[k].tolist()
    one = {"id": f"{k + 1} of {row.name}", "bbox": [*box[:2], box[2] - box[0], box[3] - box[1]]}
    return one | ({"segmentation": [row.outlines[k]]} if row.outlines[k] is not None else {})
