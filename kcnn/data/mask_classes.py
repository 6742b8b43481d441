"""From what files of masks hold to class numbers: one scheme for all files of a data set."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from kcnn.data.mask_files import MaskFile
from kcnn.data.mask_values import encoded_mask, mask_of
from kcnn.data.samples import Encoded
from kcnn.errors import UserError
from kcnn.masks import IGNORE

MOST_FOUND = 64  # colours that are taken for classes without a list of them
SHOWN = 5


class Scheme(NamedTuple):
    """`names` of the classes; `table` from stored numbers, or colours if `by_colour`, to class numbers or IGNORE.

    `words` say what was recognised; `file`: which listed the classes, or None.
    """

    names: tuple[str, ...]
    table: dict[int, int]
    by_colour: bool
    words: str
    file: str | None


def scheme_of(masks, listed):
    """The `Scheme` of all `masks` (MaskFile, others are passed over) and of `listed`, a ClassList or None.

    Colours where the list has them and they fit, or where a mask has true colours; else numbers. 255 is not judged,
    unless 0 and 255 are all that occurs. Raises UserError for more colours than classes can be.
    """
    masks = [mask for mask in masks if isinstance(mask, MaskFile)]
    coloured = any(mask.numbers is None for mask in masks)
    colours = sorted({colour for mask in masks for colour in mask.colours})
    file = listed and listed.file
    if listed and listed.colours and (coloured or set(colours) <= set(listed.colours)):
        table = {colour: k for k, colour in enumerate(listed.colours)}
        return Scheme(listed.names, table, True, f"colours, named by {file}", file)
    if coloured:
        return _by_found_colours(colours, listed)
    values = sorted({value for mask in masks for value in mask.numbers})
    named = f", named by {file}" if listed else ""
    if IGNORE in values and set(values) <= {0, IGNORE}:
        names = listed.names if listed and len(listed.names) == 2 else _numbered(2)
        return Scheme(names, {0: 0, IGNORE: 1}, False, f"black and white: 255 is class 1{named}", file)
    kind = "palette numbers" if all(mask.kind == "palette" for mask in masks) else "grey class numbers"
    highest = max((value for value in values if value != IGNORE), default=0)
    names = listed.names if listed else _numbered(max(2, highest + 1))
    words = f"{kind}{named}" + (", 255 is not judged" if IGNORE in values else "")
    table = {k: k for k in range(len(names))} | ({listed.ignored: IGNORE} if listed and listed.ignored else {})
    return Scheme(names, {**table, IGNORE: IGNORE}, False, words, file)


def _numbered(count):
    return tuple(f"class {k}" for k in range(count))


def _by_found_colours(colours, listed):
    if len(colours) > MOST_FOUND:
        raise UserError(
            f"the masks have {len(colours)} colours, at most {MOST_FOUND} are taken for classes: give class_dict.csv "
            "with name,r,g,b, and save masks without loss (PNG)"
        )
    names = tuple(_hex(colour) for colour in colours)
    named, file = "by their colours", None
    if listed and len(listed.names) == len(colours):
        names, named, file = listed.names, f"by {listed.file}, in the order of the colours", listed.file
    table = {colour: k for k, colour in enumerate(colours)}
    return Scheme(names, table, True, f"{len(colours)} colours, named {named}", file)


def _hex(colour):
    return f"#{colour:06x}"


def apply(scheme, masks):
    """([(grey PNG of class numbers, pixels a class (K,)), or a str: why it is set aside]) of `masks`, by all cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda mask: mask if isinstance(mask, str) else _applied(scheme, mask), masks))


def _applied(scheme, mask):
    table, counts = np.full(256, IGNORE, np.uint8), np.zeros(len(scheme.names), np.int64)
    for place, value, count in zip(
        mask.places, mask.colours if scheme.by_colour else mask.numbers, mask.counts, strict=True
    ):
        kind = scheme.table.get(value)
        if kind is None:
            return _unknown(scheme, value, count)
        table[place] = kind
        if kind != IGNORE:
            counts[kind] += count
    if not counts.any():
        return "its mask is empty: no place of it is judged (all 255)"
    if all(table[place] == place for place in mask.places):
        return mask.png, counts
    return encoded_mask(table[mask_of(Encoded([mask.png]), 0)]), counts


def _unknown(scheme, value, count):
    if scheme.by_colour:
        return f"its mask has the colour {_hex(value)} ({count} pixels), which {scheme.file} does not name"
    last = len(scheme.names) - 1
    by = f"{scheme.file} names" if scheme.file else "known are"
    return f"its mask has class {value} ({count} pixels); {by} 0 to {last} ({scheme.names[last]})"


def notes_of(pixels, class_names, names):
    """Notes on masks of `names` (N,) by their `pixels` (N, K): classes that never occur, masks of a single class."""
    notes, sums = [], pixels.sum(0)
    if absent := [name for name, total in zip(class_names, sums, strict=True) if not total]:
        notes.append(f"{len(absent)} of {len(class_names)} classes never occur in a mask: {_few(absent)}")
    kinds = (pixels > 0).sum(1)
    for k in np.flatnonzero(np.bincount(pixels[kinds == 1].argmax(1), minlength=len(class_names))):
        plain = np.flatnonzero((kinds == 1) & (pixels[:, k] > 0))
        if len(class_names) > 1:
            notes.append(
                f"{len(plain)} masks hold {class_names[k]!r} and nothing else, such as that of {names[plain[0]]}"
            )
    return notes


def _few(names):
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
