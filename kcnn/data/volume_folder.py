"""Volumes in one folder and their masks in another, as NIfTI files, read once into one array of the largest size."""

import os
from pathlib import Path

import numpy as np

from kcnn.data.class_lists import class_list
from kcnn.data.folder import files_below, tree
from kcnn.data.mask_classes import notes_of
from kcnn.data.mask_layouts import LAYOUTS, layout_of, paired
from kcnn.data.mask_values import occurring
from kcnn.data.nifti import is_nifti
from kcnn.data.samples import Arrays, DataSet, Samples, as_strings
from kcnn.data.volume_cases import case_of, channels_in, numbering_of_cases, shown, with_channels
from kcnn.errors import UserError
from kcnn.masks import IGNORE
from kcnn.memory import free_memory

COPIES = 2  # of all volumes that training holds


def volumes_below(folder, ignored, first=False):
    """As `pictures_below`, of NIfTI files."""
    return files_below(folder, is_nifti, ignored, first)


def accepts(address):
    """True for a folder (or a path to one) of such a layout."""
    return os.path.isdir(address) and layout_of(Path(address), volumes_below) is not None


def read(address, options, seed):
    """The volumes of `address` as float32 (N, D, H, W, C) and their masks; what cannot be used is set aside.

    Where sizes differ each stands centred in the largest of each axis, around it the least value of each channel and,
    in its mask, 255. Raises UserError where that would not fit into memory, or numbers of channels differ.
    """
    root = Path(address)
    folders, words, without = layout_of(root, volumes_below)
    rows, aside = _rows(root, folders)
    if not rows:
        raise UserError(f"data {root}: no mask has the name of a volume; accepted: {LAYOUTS}\nseen:\n{tree(root)}")
    listed = class_list(root, *(folder for pair in folders.values() for folder in (pair[1], pair[1].parent)))
    opened = [(split, name, case_of(*files)) for split, name, files in rows]
    numbering = numbering_of_cases([case for *_, case in opened if not isinstance(case, str)], listed)
    cases = []
    for split, name, case in opened:
        reason = case if isinstance(case, str) else numbering.refusal(case.counts)
        aside += [(name, reason)] if reason else []
        cases += [] if reason else [(split, name, case)]
    kept, values, masks = _stacked(root, cases, numbering, aside)
    pixels, names = np.stack([numbering.pixels(case.counts) for *_, case in kept]), as_strings([row[1] for row in kept])
    everything = Samples(Arrays(values), occurring(pixels), names, masks=Arrays(masks), pixels=pixels)
    notes = [f"split {split!r} has volumes but no masks: left out" for split in without]
    splits = _splits(everything, [row[0] for row in kept])
    notes += _sizes_note(kept) + notes_of(splits, numbering.names)
    words = words.replace("pictures", "volumes")
    named = f", named by {numbering.file}" if numbering.file else ""
    format = f"{words} (NIfTI, {shown(values.shape[1:])}; class numbers{named})"
    return DataSet(splits, numbering.names, False, format, notes, aside)


def _rows(root, folders):
    """([(split, name, (paths of channels, mask))], [(name, reason)]) of {split: (folder of volumes, of masks)}."""
    rows, aside = [], []
    for split, pair in folders.items():
        joined, alone = with_channels(*paired(*pair, volumes_below))
        rows += [(split, os.path.relpath(files[0][0], root), files) for files in joined]
        aside += [(os.path.relpath(path, root), reason) for path, reason in alone]
    return rows, aside


def _stacked(root, cases, numbering, aside):
    """(the rows of `cases` that can be read, values float32 (N, D, H, W, C), masks uint8 (N, D, H, W))."""
    size, channels = _common(root, cases, aside)
    values = np.empty((len(cases), *size, channels), np.float32)
    masks = np.full((len(cases), *size), IGNORE, np.uint8)
    kept = []
    for split, name, case in cases:
        found = channels_in(case)
        if isinstance(found, str):
            aside.append((name, found))
            continue
        place = tuple(slice((a - b) // 2, (a - b) // 2 + b) for a, b in zip(size, case.size, strict=True))
        if case.size != size:
            values[len(kept)] = found.min((0, 1, 2))
        values[len(kept)][place] = found
        masks[len(kept)][place] = numbering.table[case.mask]
        kept.append((split, name, case))
    if not kept:
        raise _none_left(root, aside)
    return kept, values[: len(kept)], masks[: len(kept)]


def _common(root, cases, aside):
    """((D, H, W), C) in which all volumes are kept; refuses what memory cannot hold, and channels that differ."""
    if not cases:
        raise _none_left(root, aside)
    channels = {case.channels: name for _, name, case in cases}
    if len(channels) > 1:
        found = ", ".join(f"{count} ({name})" for count, name in sorted(channels.items()))
        raise UserError(f"data {root}: volumes have different numbers of channels: {found}; give all the same")
    size = tuple(max(case.size[axis] for *_, case in cases) for axis in range(3))
    needed = COPIES * len(cases) * int(np.prod(size, dtype=object)) * (4 * max(channels) + 1)
    if needed > (free := free_memory()):
        least = tuple(min(case.size[axis] for *_, case in cases) for axis in range(3))
        raise UserError(
            f"data {root}: {len(cases)} volumes of {shown(least)} to {shown(size)} voxels and {max(channels)} channels "
            f"take {needed:,} bytes of memory, and {free:,} are free; cut or resample them, or give fewer"
        )
    return size, max(channels)


def _none_left(root, aside):
    return UserError(f"data {root}: no volume can be used ({len(aside)} looked at; {aside[0][0]}: {aside[0][1]})")


def _sizes_note(kept):
    sizes = sorted({case.size for *_, case in kept})
    if len(sizes) == 1:
        return []
    largest = shown(map(max, zip(*sizes, strict=True)))
    return [
        f"the volumes have {len(sizes)} sizes, such as {shown(sizes[0])} and {shown(sizes[-1])}: each stands centred "
        f"in {largest}; around it are its least values, where nothing is judged"
    ]


def _splits(everything, splits):
    """{split: Samples}, each a part of the one array that holds all: they come split by split."""
    made = {}
    for split in dict.fromkeys(splits):
        first, count = splits.index(split), splits.count(split)
        made[split] = everything.take(slice(first, first + count))
    return made
