"""Zoph et al. 2018, Learning transferable architectures for scalable image recognition: cells found by a search.

NASNet-A as keras.applications has it: the search chose two cells on CIFAR-10, the net repeats them with more filters.
"""

from dataclasses import dataclass, field

from kcnn.architectures.family import Row, family
from kcnn.architectures.history import History
from kcnn.errors import UserError
from kcnn.layers import (
    Style,
    Subsample,
    activation,
    add,
    average_pool,
    concatenate,
    conv_norm,
    convolve,
    crop,
    frame,
    global_average_pool,
    max_pool,
    normalize,
    separable_norm,
    unframed,
    unpadded,
    zero_pad,
)


@dataclass(frozen=True)
class NASNet(Row):
    """cells: normal cells of each of the three stages; filters: of the first one's, doubled by each of the others.

    stem_filters: of the first convolution. The net ends in 24 x filters channels.
    """

    residual = False

    cells: int = 4
    filters: int = 44
    stem_filters: int = 32
    style: Style = field(default=Style(epsilon=1e-3), kw_only=True)

    def __post_init__(self):
        if self.filters % 4:
            raise UserError(f"filters is {self.filters}: it must divide by 4, for the stem has a quarter of them")


HISTORY = History(
    2017,
    "Zoph et al. 2017, Learning transferable architectures for scalable image recognition",
    "inception_v3",
    "a search found the cells that are stacked",
)

VARIANTS = {
    "nasnet_toy": NASNet(cells=1, filters=8, stem_filters=6),
    "nasnet_mobile": NASNet(params=5_289_978),
}


def averaged(levels, row):
    """The mean over the last map without the frame that the levels contract may put round it: (B, 24 x filters)."""
    return global_average_pool(levels["last"], "pool")


@family(VARIANTS, top=averaged, ranks=(2,), history=HISTORY)
def nasnet(x, row):
    """Every cell adds up pairs of operations on its input and on the input of the cell before it, then joins the sums.

    The stem's convolution is not padded; where that makes maps smaller than levels are, they stand in a frame of zeros.
    The small stem leaves out its stride and that of the first reduction: the levels are two steps lower.
    """
    if None in x.shape[1:-1]:
        raise UserError("nasnet pads its maps by their size, which input_shape leaves open: state every side")
    image, small = x, row.stem == "small"
    padding = row.style.padding if small else unpadded(x, 3)
    x = convolve(x, row.stem_filters, 3, strides=1 if small else 2, padding=padding, style=row.style, name="stem")
    x = normalize(x, row.style, "stem_norm")
    level, levels = 0 if small else 1, {}
    levels[f"c{level}"] = frame(x, image, 1 << level, "stem_frame")
    before, pace = None, None
    for stage in range(2, 6):
        strides = 1 if small and stage == 2 else 2
        width = row.filters << max(stage - 3, 0)
        narrow = {2: width // 4, 3: width // 2}.get(stage, width)
        x, before, pace = reduction_cell(x, before, narrow, pace, row, strides, f"c{stage}_1"), x, strides
        for i in range(row.cells if stage > 2 else 0):
            x, before, pace = normal_cell(x, before, width, pace, row, f"c{stage}_{i + 2}"), x, None
        level += strides - 1
        levels[f"c{level}"] = frame(x, image, 1 << level, f"c{stage}_frame")
    x = activation(x, row.style, "final_act")
    levels[f"c{level}"] = frame(x, image, 1 << level, "final_frame")
    return {**levels, "last": unframed(levels[f"c{level}"], x, "last")}


def normal_cell(x, before, filters, pace, row, name):
    """(B, n..., C) -> (B, n..., 6 filters) from the cell's input `x` and the input `before` of the cell before it."""

    def separable(tensor, kernel, part):
        return _separable(tensor, filters, kernel, 1, row, f"{name}_{part}")

    before = _fitted(before, x, filters, pace, row, f"{name}_before")
    x = _squeezed(x, filters, row, f"{name}_input")
    sums = [
        add(separable(x, 5, "1_left"), separable(before, 3, "1_right"), name=f"{name}_1"),
        add(separable(before, 5, "2_left"), separable(before, 3, "2_right"), name=f"{name}_2"),
        add(_smoothed(x, f"{name}_3_left"), before, name=f"{name}_3"),
        add(_smoothed(before, f"{name}_4_left"), _smoothed(before, f"{name}_4_right"), name=f"{name}_4"),
        add(separable(x, 3, "5_left"), x, name=f"{name}_5"),
    ]
    return concatenate([before, *sums], f"{name}_concat")


def reduction_cell(x, before, filters, pace, row, strides, name):
    """(B, n..., C) -> (B, ceil(n / strides)..., 4 filters), as `normal_cell`."""

    def separable(tensor, kernel, part, strides=strides):
        return _separable(tensor, filters, kernel, strides, row, f"{name}_{part}")

    def pooled(pool, part):
        return pool(framed, 3, strides=strides, padding="valid", name=f"{name}_{part}")

    before = _fitted(before, x, filters, pace, row, f"{name}_before")
    x = _squeezed(x, filters, row, f"{name}_input")
    # The reference pools a map with zeros around it and counts them.
    ahead = tuple(1 if strides == 1 else side % 2 for side in x.shape[1:-1])
    framed = zero_pad(x, ahead, 1, f"{name}_pad")
    first = add(separable(x, 5, "1_left"), separable(before, 7, "1_right"), name=f"{name}_1")
    second = add(pooled(max_pool, "2_left"), separable(before, 7, "2_right"), name=f"{name}_2")
    third = add(pooled(average_pool, "3_left"), separable(before, 5, "3_right"), name=f"{name}_3")
    fourth = add(second, _smoothed(first, f"{name}_4_right"), name=f"{name}_4")
    fifth = add(separable(first, 3, "5_left", 1), pooled(max_pool, "5_right"), name=f"{name}_5")
    return concatenate([second, third, fourth, fifth], f"{name}_concat")


def _fitted(before, x, filters, pace, row, name):
    """`before` with the size of `x`, and with `filters` channels where another size or number of them has to change.

    `pace` says by what stride it is the larger one: two halves of the filters then see places one pixel apart.
    """
    if before is None:
        return x
    if pace is None:
        return before if before.shape[-1] == filters else _squeezed(before, filters, row, name)
    before = activation(before, row.style, f"{name}_act")
    halves = []
    for part, y in (("even", before), ("odd", crop(zero_pad(before, 0, 1, f"{name}_pad"), 1, 0, f"{name}_crop"))):
        y = Subsample(pace, name=f"{name}_{part}_places")(y) if pace > 1 else y
        halves.append(convolve(y, filters // 2, 1, style=row.style, name=f"{name}_{part}"))
    return normalize(concatenate(halves, f"{name}_halves"), row.style, f"{name}_norm")


def _squeezed(x, filters, row, name):
    return conv_norm(activation(x, row.style, f"{name}_act"), filters, 1, style=row.style, name=name)


def _separable(x, filters, kernel, strides, row, name):
    """Activation, depthwise, 1x1, norm; and all that once more, without stride."""
    for i, stride in enumerate((strides, 1), start=1):
        x = activation(x, row.style, f"{name}_{i}_act")
        x = separable_norm(x, filters, kernel, strides=stride, style=row.style, name=f"{name}_{i}")
    return x


def _smoothed(x, name):
    return average_pool(x, 3, strides=1, name=name)
