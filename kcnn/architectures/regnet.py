"""Radosavovic et al. 2020, Designing network design spaces: good nets lie on a line of widths over depth.

Instead of one net the paper gives a space of them: four numbers state all the widths and depths of a ResNeXt.
"""

import math
from dataclasses import dataclass, field, replace

from kcnn.architectures.dilation import first_strides, steps
from kcnn.architectures.family import Row, family, same_lengths
from kcnn.architectures.history import History
from kcnn.architectures.stems import light_stem
from kcnn.errors import UserError
from kcnn.layers import Style, activation, add, conv_norm, conv_norm_act, drop_path_rates, squeeze_excite

MULTIPLE = 8


def regnet_stages(w0, wa, wm, depth):
    """((width of each stage), (its blocks)) by the paper's rule, before widths are fitted to the groups.

    Block j would have the width w0 + wa j. It takes the nearest (in the exponent) of the widths w0 wm^s, s a whole
    number, rounded to a multiple of 8; a stage is a run of blocks of equal width.
    """
    if not (w0 >= MULTIPLE and wa >= 0 and wm > 1 and isinstance(depth, int) and depth >= 1):
        raise UserError(
            f"w0 {w0!r} must be {MULTIPLE} or above, wa {wa!r} 0 or above, wm {wm!r} above 1, depth {depth!r} whole, "
            "1 or more"
        )
    steps = [round(math.log((w0 + wa * j) / w0) / math.log(wm)) for j in range(depth)]
    widths = [round(w0 * wm**step / MULTIPLE) * MULTIPLE for step in steps]
    stages = sorted(set(widths))
    return tuple(stages), tuple(widths.count(width) for width in stages)


def fitted_groups(widths, group_width):
    """(widths, group width of each) that divide: no group wider than its stage, widths at the nearest multiple."""
    groups = tuple(min(group_width, width) for width in widths)
    return tuple(max(round(width / group) * group, group) for width, group in zip(widths, groups, strict=True)), groups


@dataclass(frozen=True)
class RegNet(Row):
    """One point of the design space, stage by stage; `regnet_row` makes it from the paper's four numbers.

    depths, widths, group_widths: of each stage, all of which halve the size.
    squeeze: share of a block's input channels in the middle of its squeeze-excite (RegNetY); 0 for none (RegNetX).
    """

    depths: tuple[int, ...] = (1, 1, 4, 7)
    widths: tuple[int, ...] = (24, 56, 152, 368)
    group_widths: tuple[int, ...] = (8, 8, 8, 8)
    squeeze: float = 0.0
    stem_filters: int = 32
    style: Style = field(default=Style(padding="symmetric"), kw_only=True)

    def __post_init__(self):
        same_lengths(self, "depths", "widths", "group_widths")
        wrong = [(w, g) for w, g in zip(self.widths, self.group_widths, strict=True) if w % g]
        if wrong:
            raise UserError(f"width {wrong[0][0]} is no multiple of its group width {wrong[0][1]}")


def regnet_row(w0, wa, wm, depth, group_width, **fields):
    """The row of the point (w0, wa, wm, depth, group width) of the design space; `fields` are further ones of `RegNet`.

    With `dataclasses.asdict` of a drawn row, or its fields as `overrides` of a registered one, a search can build it.
    """
    if not isinstance(group_width, int) or group_width < 1:
        raise UserError(f"group width {group_width!r} must be a whole number, 1 or more")
    widths, depths = regnet_stages(w0, wa, wm, depth)
    widths, groups = fitted_groups(widths, group_width)
    return RegNet(depths, widths, groups, **fields)


POINTS = {
    "regnetx_002": (24, 36.44, 2.49, 13, 8),
    "regnetx_004": (24, 24.48, 2.54, 22, 16),
    "regnetx_006": (48, 36.97, 2.24, 16, 24),
    "regnetx_008": (56, 35.73, 2.28, 16, 16),
    "regnetx_016": (80, 34.01, 2.25, 18, 24),
    "regnetx_032": (88, 26.31, 2.25, 25, 48),
    "regnety_002": (24, 36.44, 2.49, 13, 8),
    "regnety_004": (48, 27.89, 2.09, 16, 8),
    "regnety_006": (48, 32.54, 2.32, 15, 16),
    "regnety_008": (56, 38.84, 2.4, 14, 16),
    "regnety_016": (48, 20.71, 2.65, 27, 24),
    "regnety_032": (80, 42.63, 2.66, 21, 24),
}
COUNTS = {
    "regnetx": (2_684_792, 5_157_512, 6_196_040, 7_259_656, 9_190_136, 15_296_552),
    "regnety": (3_162_996, 4_344_144, 6_055_160, 6_263_168, 11_202_430, 19_436_338),
}

HISTORY = {
    "": History(
        2020,
        "Radosavovic et al. 2020, Designing network design spaces",
        "resnext50_32x4d",
        "widths and depths follow a line of four numbers, from a space that is good as a whole",
    ),
    "regnety": History(
        2020,
        "Radosavovic et al. 2020, Designing network design spaces",
        "regnetx_004",
        "RegNetX with squeeze and excitation",
    ),
}
HISTORY |= {
    f"regnety_{size}": replace(HISTORY["regnety"], ancestor=f"regnetx_{size}")
    for size in ("002", "006", "008", "016", "032")
}

VARIANTS = {"regnet_toy": RegNet((1, 1, 2, 1), (8, 8, 16, 16), (4, 4, 8, 8), squeeze=0.25, stem_filters=8)}
VARIANTS |= {
    name: regnet_row(*point, squeeze=0.25 if name.startswith("regnety") else 0.0, params=params)
    for (name, point), params in zip(POINTS.items(), COUNTS["regnetx"] + COUNTS["regnety"], strict=True)
}


@family(VARIANTS, history=HISTORY, dilates=True)
def regnet(x, row):
    """Bottlenecks that do not narrow: 1x1, grouped 3x3, 1x1, all of one width; RegNetY weighs channels in between.

    Stage 1 is "c2" whatever the stem. The small stem leaves out its own stride and that of the first stage: the levels
    are two steps lower.
    """
    x, levels = light_stem(x, row.stem_filters, row)
    small = row.stem == "small"
    strides = [1 if small and not stage else 2 for stage in range(len(row.depths))]
    walk = iter(steps(first_strides(row.depths, strides), 0 if small else 1, row))
    rates = drop_path_rates(row.depths, row.style.drop_path)
    for stage, (width, group, drops) in enumerate(zip(row.widths, row.group_widths, rates, strict=True)):
        for i, rate in enumerate(drops):
            step = next(walk)
            x = block(x, width, group, step, row=row, rate=rate, first=not i, name=f"c{stage + 2}_{i + 1}")
        levels[f"c{step.level}"] = x
    return levels


def block(x, width, group, step, *, row, rate, first, name):
    """One residual block, (B, n..., C) -> (B, ceil(n / strides)..., width), walking as `step` says."""
    style, shortcut, entering = row.style, x, x.shape[-1]
    if first:
        shortcut = conv_norm(x, width, 1, strides=step.strides, style=style, name=f"{name}_shortcut")
    x = conv_norm_act(x, width, 1, style=style, name=f"{name}_reduce")
    walk = {"strides": step.strides, "dilation": step.dilation, "groups": width // group}
    x = conv_norm_act(x, width, 3, **walk, style=style, name=f"{name}_spatial")
    if row.squeeze:
        x = squeeze_excite(x, max(round(entering * row.squeeze), 1), style=style, name=f"{name}_squeeze")
    x = conv_norm(x, width, 1, style=style, name=f"{name}_expand")
    return activation(add(shortcut, x, rate=rate, name=name), style, f"{name}_out")
