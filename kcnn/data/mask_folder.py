"""Pictures in one folder and their masks in another, inside or around split folders."""

import os
from pathlib import Path

import numpy as np

from kcnn.data.class_lists import class_list
from kcnn.data.folder import tree
from kcnn.data.mask_classes import apply, notes_of, scheme_of
from kcnn.data.mask_files import read_masks
from kcnn.data.mask_layouts import LAYOUTS, layout_of, paired
from kcnn.data.mask_values import occurring
from kcnn.data.samples import DataSet, Encoded, Files, Samples, as_strings
from kcnn.errors import UserError


def accepts(address):
    """True for a folder (or a path to one) of such a layout."""
    return os.path.isdir(address) and layout_of(Path(address)) is not None


def read(address, options, seed):
    """The pictures of `address` and their masks as class numbers; what has no partner, or cannot be, is set aside."""
    root = Path(address)
    folders, words, without = layout_of(root)
    pairs, aside = {}, []
    for split, (pictures, masks) in folders.items():
        pairs[split], alone = paired(pictures, masks)
        aside += [(os.path.relpath(path, root), reason) for path, reason in alone]
    if not any(pairs.values()):
        raise UserError(f"data {root}: no mask has the name of a picture; accepted: {LAYOUTS}\nseen:\n{tree(root)}")
    found = read_masks([mask for rows in pairs.values() for _, mask in rows], options.max_pixels)
    listed = class_list(root, *(folder for pair in folders.values() for folder in (pair[1], pair[1].parent)))
    scheme = scheme_of(found, listed)
    made, splits = iter(apply(scheme, found)), {}
    for split, rows in pairs.items():
        kept, left = _split([(path, next(made)) for path, _ in rows], root)
        splits |= {split: kept} if kept else {}
        aside += left
    if not splits:
        raise UserError(f"data {root}: no mask can be used ({len(aside)} looked at; {aside[0][0]}: {aside[0][1]})")
    notes = [f"split {split!r} has pictures but no masks: left out" for split in without]
    notes += _unused_json(root, scheme) + notes_of(splits, scheme.names)
    return DataSet(splits, scheme.names, False, f"{words} ({scheme.words})", notes, aside)


def _split(rows, root):
    """(Samples or None, [(name, reason)]) of rows (picture's path, (png, pixels) or a reason)."""
    names = [os.path.relpath(path, root) for path, _ in rows]
    left = [(name, made) for name, (_, made) in zip(names, rows, strict=True) if isinstance(made, str)]
    kept = [(name, path, *made) for name, (path, made) in zip(names, rows, strict=True) if not isinstance(made, str)]
    if not kept:
        return None, left
    names, paths, items, pixels = zip(*kept, strict=True)
    pixels = np.stack(pixels)
    masks = Encoded(as_strings(items))
    return Samples(Files(as_strings(paths)), occurring(pixels), as_strings(names), masks=masks, pixels=pixels), left


def _unused_json(root, scheme):
    files = sorted(path.name for path in root.glob("*.json"))
    if not files:
        return []
    named = "; only class names are read" if scheme.file in files else ""
    return [f"masks are used, not the objects in {', '.join(files[:3])}{named}; give one of these to use objects"]
