"""Cases: volumes, of one or several files, with their masks; what does not fit is said in a few words."""

import re
from typing import NamedTuple

import numpy as np

from kcnn.data.mask_layouts import MASK_MARKS
from kcnn.data.nifti import Scan, scan_of, without_suffix
from kcnn.data.numbering import numbering_of
from kcnn.data.volumes import classes_of, lies_on, voxels_of

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


def numbering_of_cases(cases, listed):
    """The `Numbering` of all `cases` and of `listed`, a ClassList or None."""
    found = np.flatnonzero(sum((case.counts for case in cases), np.zeros(256, np.int64))).tolist()
    return numbering_of(found, *((listed.names, listed.ignored, listed.file) if listed else ()))


def shown(size):
    return "x".join(map(str, size))
