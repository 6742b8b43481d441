"""Objects of a COCO json, outlines or run lengths, rendered to one mask of class numbers a picture."""

import math
from contextlib import contextmanager

import numpy as np

from kcnn.errors import UserError
from kcnn.masks import IGNORE


def render(size, objects):
    """uint8 (H, W): the mask of a picture of `size` (H, W) with `objects`, dicts as COCO has them plus "class".

    First come crowds and objects that have a box alone, as places that are not judged; then the others, large ones
    first. Raises UserError for an object that cannot be understood.
    """
    mask = np.zeros(size, np.uint8)
    for one in sorted(objects, key=_order):
        with _named(one):
            _draw(mask, one, one["class"] if _judged(one) else IGNORE)
    return mask


def inside(one, size):
    """bool (H, W): the places of a picture of `size` (H, W) that the object's outline holds, else its box."""
    mask = np.zeros(size, np.uint8)
    with _named(one):
        _draw(mask, one, 1)
    return mask == 1


def area_of(one):
    """The area in pixels that the object gives, or that of its outline; parts may lie on each other."""
    with _named(one):
        return _area(one)


@contextmanager
def _named(one):
    """An error within says of which object it is."""
    try:
        yield
    except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
        raise UserError(f"annotation {one.get('id')} has an outline that cannot be read: {error}") from None


def _judged(one):
    return bool(one.get("segmentation")) and not one.get("iscrowd")


def _order(one):
    with _named(one):
        return (True, -_area(one)) if _judged(one) else (False, 0)


def _area(one):
    outline = one.get("segmentation") or [_box(one)]
    try:
        given = float(one.get("area") or 0)
    except (TypeError, ValueError):
        given = math.nan
    if math.isnan(given):
        raise ValueError(f"its area is {one['area']!r}, which is no number")
    if given:
        return given
    if isinstance(outline, dict):
        return sum(_runs(outline)[1::2])
    return sum(_surface(polygon) for polygon in outline)


def _surface(polygon):
    x, y = np.asarray(polygon, np.float64)[: len(polygon) // 2 * 2].reshape(-1, 2).T
    return abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2


def _draw(mask, one, kind):
    outline = one.get("segmentation")
    if isinstance(outline, dict):
        mask[decoded(outline, mask.shape)] = kind
    else:
        for polygon in outline or [_box(one)]:
            _fill(mask, polygon, kind)


def _box(one):
    x, y, width, height = map(float, one["bbox"])
    return [x, y, x + width, y, x + width, y + height, x, y + height]


def _fill(mask, polygon, kind):
    """Set `mask` to `kind` where centres of its places lie in `polygon` [x, y, x, y, ...], by the even-odd rule."""
    points = np.asarray(polygon, np.float64)
    if points.ndim != 1 or len(points) < 6 or len(points) % 2 or not np.isfinite(points).all():
        raise ValueError("a polygon needs three or more pairs of finite numbers")
    points = points.reshape(-1, 2)
    (left, top), (right, bottom) = (np.clip(np.ceil(end(points, 0) - 0.5), 0, mask.shape[::-1]).astype(int)
                                    for end in (np.min, np.max))  # fmt: skip
    (x0, y0), (x1, y1) = points.T, np.roll(points, -1, 0).T
    rows = np.arange(top, bottom) + 0.5
    row, edge = np.nonzero((y0 > rows[:, None]) != (y1 > rows[:, None]))
    x = x0[edge] + (rows[row] - y0[edge]) * (x1 - x0)[edge] / (y1 - y0)[edge]
    turns = np.zeros((len(rows), right - left + 1), np.int32)
    np.add.at(turns, (row, np.clip(np.ceil(x - 0.5), left, right).astype(int) - left), 1)
    mask[top:bottom, left:right][turns.cumsum(1)[:, :-1] % 2 == 1] = kind


def decoded(lengths, size):
    """bool (H, W) of run lengths {"size": [H, W], "counts": a list, or COCO's compressed text}, column by column."""
    if list(lengths["size"]) != list(size):
        raise ValueError(f"its size is {lengths['size']}, the picture's {list(size)}")
    counts, places = _runs(lengths), size[0] * size[1]
    if min(counts, default=0) < 0 or sum(counts) != places:
        raise ValueError(f"its run lengths sum to {sum(counts)}, the picture has {places} places")
    return np.repeat(np.arange(len(counts)) % 2 == 1, np.array(counts, np.int64)).reshape(size[::-1]).T


def _runs(lengths):
    counts = lengths["counts"]
    return uncompressed(counts) if isinstance(counts, str | bytes) else counts


def uncompressed(text):
    """Run lengths from COCO's text: five bits a letter, low ones first, the sixth says that the number goes on.

    The fifth bit of a number's last letter is its sign; from the fourth number on it is less the one before the last.
    """
    counts, value, shift = [], 0, 0
    for letter in text.encode() if isinstance(text, str) else text:
        bits = letter - 48
        if not 0 <= bits < 64:
            raise ValueError(f"its text has the letter {chr(letter)!r}")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value, shift = 0, 0
    if shift:
        raise ValueError("its text ends within a number")
    return counts
