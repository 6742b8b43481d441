"""Where the blocks of a mobile network stand: their names, strides, levels and rates of stochastic depth."""

from typing import NamedTuple

from kcnn.architectures.dilation import first_strides, steps
from kcnn.layers import drop_path_rates


class Place(NamedTuple):
    """One block.

    name: "c3_1" is the first at stride 8 of the standard net. level: that of what it computes. reduces: whether it
    halves the size in the standard net, with the small stem perhaps at stride 1: what layers it has follows from that.
    dilation, behind: as in `Step`.
    """

    name: str
    strides: int
    level: str
    rate: float
    reduces: bool
    dilation: int
    behind: int


def places(depths, strides, row):
    """The `Place` of every block behind a stem of stride 2, one list a stage of `depths` blocks.

    strides: of the first block of each stage. Names keep the standard numbers. The small stem has stride 1 and leaves
    out the first of these strides that is above 1, so that its levels are two steps lower.
    """
    walk, label, count, found = iter(_steps(depths, strides, row)), 1, 0, []
    for stride, drops in zip(strides, drop_path_rates(depths, row.style.drop_path), strict=True):
        if stride > 1:
            label, count = label + 1, 0
        reduces = count == 0 and label > 1
        stage = []
        for i, (rate, step) in enumerate(zip(drops, walk, strict=False)):
            place = (f"c{label}_{count + i + 1}", step.strides, f"c{step.level}", rate, reduces and not i)
            stage.append(Place(*place, step.dilation, step.behind))
        count += len(stage)
        found.append(stage)
    return found


def _steps(depths, strides, row):
    """The `Step` of every block; `places` says which stride the small stem leaves out."""
    taken, small = list(strides), row.stem == "small"
    if small and 2 in taken:
        taken[taken.index(2)] = 1
    return steps(first_strides(depths, taken), 0 if small else 1, row)


def order(found):
    """{name: (stage, block in the stage, block in the net)} of `places`, all counted from 0, as other programs do."""
    flat = [(name, stage, i) for stage, blocks in enumerate(found) for i, (name, *_) in enumerate(blocks)]
    return {name: (stage, i, n) for n, (name, stage, i) in enumerate(flat)}
