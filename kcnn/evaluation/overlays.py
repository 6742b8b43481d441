"""Masks for people and for other programs: laid over the picture, as a PNG of class numbers, as outlines."""

import io

import numpy as np

from kcnn.disk import write_atomically
from kcnn.errors import UserError
from kcnn.masks import IGNORE, colours

STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # right, down, left, up: each is a right turn from the one before


def overlay(picture, mask, alpha=0.5):
    """uint8 (H, W, 3): `picture` (H, W, C) under the colours of `mask` (H, W), of which `alpha` 0–1 is seen.

    What is not judged shows the picture alone. Numbers that are no uint8 are stretched to the whole range.
    """
    _check(mask)
    if not 0 <= alpha <= 1:
        raise UserError(f"alpha is {alpha!r}: it must be from 0 (picture alone) to 1 (colours alone)")
    if np.shape(picture)[:2] != mask.shape:
        raise UserError(
            f"the picture is {np.shape(picture)}, the mask {mask.shape}: they must have one height and width"
        )
    below = as_rgb(picture)
    part = np.where(mask == IGNORE, 0, alpha)[..., None]
    return np.rint(below * (1 - part) + palette()[mask] * part).astype(np.uint8)


def as_rgb(picture):
    """uint8 (H, W, 3) of a picture (H, W, C) of any kind: its three channels, or the first one as grey."""
    picture = np.asarray(picture)
    picture = picture if picture.shape[-1] == 3 else picture[..., :1]
    if picture.dtype != np.uint8:
        picture = picture.astype(np.float64)  # in which no difference wraps
        low, high = np.nanmin(picture), np.nanmax(picture)
        picture = np.rint(255 * np.nan_to_num((picture - low) / ((high - low) or 1))).astype(np.uint8)
    return np.broadcast_to(picture, (*picture.shape[:-1], 3))


def palette():
    """uint8 (256, 3): the colour of every class number; white where nothing is judged."""
    return np.concatenate([colours(IGNORE), np.full((1, 3), 255, np.uint8)])


def save_mask(mask, path):
    """Write `mask` (H, W) uint8 as a PNG whose values are the class numbers, shown in our colours."""
    _check(mask)
    save_picture(mask, path, palette())


def save_picture(picture, path, palette=None):
    """Write `picture`, uint8 (H, W, 3) or (H, W), as a PNG; of numbers (H, W) in the colours of a `palette` (N, 3)."""
    from PIL import Image

    made = Image.fromarray(picture)
    if palette is not None:
        made.putpalette(palette.tobytes())
    content = io.BytesIO()
    made.save(content, "png")
    write_atomically(path, content.getvalue())


def drawn_boxes(picture, answer, classes):
    """uint8 (H, W, 3): `picture` (H, W, C) with the boxes of `answer`, their names and scores, in the classes' colours.

    answer: {"boxes" (n, 4), "scores" (n,), "classes": names}, best first, and "masks" (n, H, W) or none, which are
    laid over the picture; classes: their numbers. The best lie on top.
    """
    from PIL import Image, ImageDraw, ImageFont

    below = np.array(as_rgb(picture))
    for mask, kind in reversed(list(zip(answer.get("masks", ()), classes, strict=False))):
        below[mask] = (below[mask] + palette()[(int(kind) + 1) % IGNORE].astype(int)) // 2
    made = Image.fromarray(below)
    draw, side = ImageDraw.Draw(made), max(made.size)
    width, font = max(1, round(side / 250)), ImageFont.load_default(max(9, round(side / 45)))
    for box, score, name, kind in reversed(
        list(zip(answer["boxes"].tolist(), answer["scores"], answer["classes"], classes, strict=True))
    ):
        colour = tuple(palette()[(int(kind) + 1) % IGNORE].tolist())
        x0, y0, x1, y1 = box
        draw.rectangle((x0, y0, max(x1 - 1, x0), max(y1 - 1, y0)), outline=colour, width=width)
        words, place = f"{name}: {score:.2f}", [x0, max(y0 - font.size - 3, 0)]
        place[0] = max(0, min(x0, made.size[0] - draw.textlength(words, font) - 4))
        draw.rectangle((*place, place[0] + draw.textlength(words, font) + 4, place[1] + font.size + 3), fill=colour)
        ink = (0, 0, 0) if sum(colour) > 382 else (255, 255, 255)
        draw.text((place[0] + 2, place[1] + 1), words, fill=ink, font=font)
    return np.asarray(made)


def polygons(mask, class_names, least=1):
    """The connected regions of each class as outlines: [{class, polygon, holes, area}], the largest of a class first.

    `polygon` and each of `holes` is a list of corners [x, y] along the edges of the pixels, 0, 0 being the upper left
    corner of the picture: the pixels whose centres lie inside are those of the mask. area: pixels. Pixels that touch
    at a corner only are not connected; regions below `least` pixels are left out.
    """
    from scipy import ndimage

    _check(mask)
    found = []
    for k, name in enumerate(class_names):
        regions, count = ndimage.label(mask == k)
        areas = np.bincount(regions.ravel(), minlength=count + 1)
        boxes = ndimage.find_objects(regions)
        for number in np.argsort(-areas[1:], kind="stable") + 1:
            if areas[number] < least:
                break
            rows, columns = boxes[number - 1]
            outer, *holes = _outlines(regions[rows, columns] == number, columns.start, rows.start)
            found.append({"class": name, "polygon": outer, "holes": holes, "area": int(areas[number])})
    return found


def _outlines(region, left, top):
    """The closed outlines of one region (H, W) bool, the outer one first, moved right by `left` and down by `top`.

    The edges of its pixels, kept where they start for each of the `STEPS`, are walked with the region on the right
    hand; where two pixels meet at a corner the walk turns right, and so stays with its own.
    """
    whole = np.pad(region, 1)
    here, above, before = whole[1:, 1:], whole[:-1, 1:], whole[1:, :-1]
    edges = np.stack([
        here & ~above, before & ~here, np.roll(above & ~here, 1, axis=1), np.roll(here & ~before, 1, axis=0),
    ])  # fmt: skip
    found = []
    for y, x in np.argwhere(edges[0]).tolist():  # every outline goes right somewhere, the outer one above all others
        if edges[0, y, x]:
            found.append([[across + left, down + top] for across, down in _walk(edges, x, y)])
    return found


def _walk(edges, x, y):
    """The corners of the outline that leaves (x, y) to the right; its edges are taken out of `edges` (4, H, W)."""
    start, way, corners = (x, y), 0, []
    while True:
        x, y = x + STEPS[way][0], y + STEPS[way][1]
        turned = next(turn % 4 for turn in (way + 1, way, way + 3) if edges[turn % 4, y, x])
        edges[turned, y, x] = False
        if turned != way:
            corners.append((x, y))
        if turned == 0 and (x, y) == start:
            return corners
        way = turned


def _check(mask):
    if np.ndim(mask) != 2 or np.asarray(mask).dtype != np.uint8:
        raise UserError(f"the mask is {np.asarray(mask).dtype} {np.shape(mask)}: it must be uint8 (height, width)")
