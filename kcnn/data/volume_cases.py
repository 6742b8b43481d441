"""Cases: volumes, of one or several files, with their masks; what does not fit is said in a few words."""

import re
from typing import NamedTuple

import numpy as np

from kcnn.data.mask_layouts import MASK_MARKS
from kcnn.data.nifti import Scan, scan_of, without_suffix
from kcnn.data.volumes import classes_of, lies_on, voxels_of
from kcnn.masks import IGNORE

FIRST = "_0000"  # what nnU-Net calls the first channel of a case, where each has a file
CHANNEL = re.compile(r"(.+)_(\d{4})")


class Case(NamedTuple):
    """`scans`: its files; `mask` uint8 (D, H, W) as stored; `counts` int64 (256,): how often it has each number."""

    scans: tuple[Scan, ...]
    mask: np.ndarray
    counts: np.ndarray

    @property
    def size(self):
        return self.scans[0].size

    @property
    def channels(self):
        return sum(scan.channels for scan in self.scans)


def with_channels(pairs, alone):
    """([(paths of its channels, mask)], [(path, reason)]) of what `paired` gives: files of further channels join."""
    further = {}
    for path, _ in alone:
        if match := CHANNEL.fullmatch(without_suffix(path)):
            further.setdefault(match[1], {})[int(match[2])] = path
    joined, broken, used = [], [], set()
    for path, mask in pairs:
        stem, own = without_suffix(path), MASK_MARKS.sub("", without_suffix(mask))
        more = further.get(stem.removesuffix(FIRST), {}) if stem.endswith(FIRST) and not own.endswith(FIRST) else {}
        used |= set(more.values())
        if sorted(more) != list(range(1, len(more) + 1)):
            broken.append((path, f"has channels 0, {', '.join(map(str, sorted(more)))}: one between them is missing"))
        else:
            joined.append(((path, *(more[number] for number in sorted(more))), mask))
    return joined, broken + [(path, reason) for path, reason in alone if path not in used]


def case_of(paths, mask_path):
    """The `Case` of the files `paths` and their mask, or the reason why it cannot be used; voxels are not yet read."""
    scans = tuple(map(scan_of, paths))
    if reason := next((scan for scan in scans if isinstance(scan, str)), None):
        return reason
    if any(scan.size != scans[0].size or not lies_on(scan, scans[0]) for scan in scans):
        return f"its channels differ in size or place: {', '.join(shown(scan.size) for scan in scans)}"
    mask = scan_of(mask_path)
    if isinstance(mask, str):
        return f"its mask {mask}"
    if mask.size != scans[0].size:
        return f"its mask is {shown(mask.size)}, the volume {shown(scans[0].size)} (depth x height x width)"
    if not lies_on(mask, scans[0]):
        return "its mask lies elsewhere in space: their affines differ; save the mask with the volume's"
    values = classes_of(mask)
    if isinstance(values, str):
        return f"its mask {values}"
    counts = np.zeros(256, np.int64)
    numbers, counts[numbers] = np.unique(values, return_counts=True)
    return Case(scans, values, counts)


def channels_in(case):
    """float32 (D, H, W, C): the voxels of a `Case`, or the reason why they cannot be read."""
    parts = [voxels_of(scan) for scan in case.scans]
    return next((part for part in parts if isinstance(part, str)), None) or np.concatenate(parts, -1)


class Numbering(NamedTuple):
    """From the numbers in masks to classes: `names`, `table` uint8 (256,), and the `file` that named them, or None."""

    names: tuple[str, ...]
    table: np.ndarray
    file: str | None

    def refusal(self, counts):
        """Why a mask with these numbers cannot be used, "" if it can."""
        unknown = np.flatnonzero((counts > 0) & (self.table >= len(self.names)) & (self.table != IGNORE))
        if len(unknown):
            by, last = f"{self.file} names" if self.file else "known are", len(self.names) - 1
            number = unknown[0]
            return f"its mask has class {number} ({counts[number]} voxels); {by} 0 to {last} ({self.names[last]})"
        if not counts[self.table != IGNORE].any():
            return "its mask is empty: no place of it is judged (all 255)"
        return ""

    def pixels(self, counts):
        """int64 (K,): how many voxels each class has."""
        return np.array([counts[self.table == k].sum() for k in range(len(self.names))], np.int64)


def numbering_of(cases, listed):
    """The `Numbering` of all `cases` and of `listed`, a ClassList or None; 255 alone beside 0 is the second class."""
    found = set(np.flatnonzero(sum(case.counts for case in cases)).tolist()) if cases else set()
    table, binary = np.arange(256, dtype=np.uint8), IGNORE in found and found <= {0, IGNORE}
    if binary:
        table[IGNORE] = 1
    if listed and listed.ignored is not None:
        table[listed.ignored] = IGNORE
    highest = max((int(table[number]) for number in found if table[number] != IGNORE), default=0)
    names = listed.names if listed else tuple(f"class {k}" for k in range(max(2, highest + 1)))
    return Numbering(names, table, listed and listed.file)


def shown(size):
    return "x".join(map(str, size))
