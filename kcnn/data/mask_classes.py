"""From what files of masks hold to class numbers: one scheme for all files of a data set."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from kcnn.data.mask_files import MaskFile
from kcnn.data.mask_values import encoded_mask, mask_of
from kcnn.data.numbering import EMPTY, MOST_FOUND, is_binary, numbering_of, unknown_number
from kcnn.data.samples import Encoded
from kcnn.errors import UserError
from kcnn.masks import IGNORE

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
    unless 0 and 255 are all that occurs. Raises UserError for more colours or numbers than can be classes.
    """
    masks = [mask for mask in masks if isinstance(mask, MaskFile)]
    coloured = any(mask.numbers is None for mask in masks)
    colours = sorted({colour for mask in masks for colour in mask.colours})
    file = listed and listed.file
    if listed and listed.colours and (coloured or set(colours) <= {*listed.colours, *listed.void}):
        table = {colour: k for k, colour in enumerate(listed.colours)} | dict.fromkeys(listed.void, IGNORE)
        return Scheme(listed.names, table, True, f"colours, named by {file}", file)
    if coloured:
        return _by_found_colours(colours, listed)
    return _by_numbers(masks, listed)


def _by_numbers(masks, listed):
    values, ignored = {value for mask in masks for value in mask.numbers}, listed and listed.ignored
    fits = listed and (len(listed.names) == 2 or not is_binary(values, ignored))
    names, file = (listed.names, listed.file) if fits else (None, None)
    numbering = numbering_of(values, names, ignored, file)
    named = f", named by {file}" if fits else ""
    if numbering.binary:
        unused = f" ({listed.file} names {len(listed.names)}: not used)" if listed and not fits else ""
        words = f"black and white: 255 is class 1{named}{unused}"
    else:
        kind = "palette numbers" if all(mask.kind == "palette" for mask in masks) else "grey class numbers"
        words = f"{kind}{named}" + (", 255 is not judged" if IGNORE in values else "")
    return Scheme(numbering.names, numbering.classes(), False, words, numbering.file)


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
        return EMPTY
    if all(table[place] == place for place in mask.places):
        return mask.png, counts
    return encoded_mask(table[mask_of(Encoded([mask.png]), 0)]), counts


def _unknown(scheme, value, count):
    if scheme.by_colour:
        return f"its mask has the colour {_hex(value)} ({count} pixels), which {scheme.file} does not name"
    return unknown_number(value, f"{count} pixels", scheme.names, scheme.file)


def notes_of(splits, class_names):
    """Notes on the masks of {split: Samples} by their pixels: classes that never occur, masks of a single class."""
    pixels, names = (np.concatenate([getattr(s, part) for s in splits.values()]) for part in ("pixels", "names"))
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
