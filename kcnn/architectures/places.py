"""Where the blocks of a mobile network stand: their names, strides, levels and rates of stochastic depth."""

from typing import NamedTuple

from kcnn.errors import UserError
from kcnn.layers import drop_path_rates


class Place(NamedTuple):
    """One block.

    name: "c3_1" is the first at stride 8 of the standard net. level: that of what it computes. reduces: whether it
    halves the size in the standard net, with the small stem perhaps at stride 1: what layers it has follows from that.
    """

    name: str
    strides: int
    level: str
    rate: float
    reduces: bool


def places(depths, strides, row):
    """The `Place` of every block behind a stem of stride 2, one list a stage of `depths` blocks.

    strides: of the first block of each stage. Names keep the standard numbers. The small stem has stride 1 and leaves
    out the first of these strides that is above 1, so that its levels are two steps lower.
    """
    wrong = [stride for stride in strides if stride not in (1, 2)]
    if wrong:
        raise UserError(f"strides of {row.__class__.__name__} include {wrong[0]!r}: each must be 1 or 2, as levels are")
    skip = row.stem == "small"
    level, label, count, found = int(not skip), 1, 0, []
    for stride, drops in zip(strides, drop_path_rates(depths, row.style.drop_path), strict=True):
        if stride > 1:
            label, count = label + 1, 0
            stride, level, skip = (1, level, False) if skip else (2, level + 1, False)
        names = [f"c{label}_{count + i + 1}" for i in range(len(drops))]
        reduces = count == 0 and label > 1
        count += len(drops)
        found.append(
            [Place(name, 1 if i else stride, f"c{level}", drops[i], reduces and not i) for i, name in enumerate(names)],
        )
    return found


def order(found):
    """{name: (stage, block in the stage, block in the net)} of `places`, all counted from 0, as other programs do."""
    flat = [(name, stage, i) for stage, blocks in enumerate(found) for i, (name, *_) in enumerate(blocks)]
    return {name: (stage, i, n) for n, (name, stage, i) in enumerate(flat)}
