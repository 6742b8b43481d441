"""Szegedy et al. 2015, Going deeper with convolutions: 22 layers of weights with a ninth of AlexNet's parameters."""

from dataclasses import dataclass, field

import keras

from kcnn.architectures.family import Row, deepest, family
from kcnn.architectures.history import History
from kcnn.errors import UserError
from kcnn.layers import (
    LocalResponseNormalization,
    Style,
    average_pool,
    concatenate,
    conv_norm_act,
    dense_act,
    dropout,
    global_average_pool,
    max_pool,
)

STAGES = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
TOY_BLOCK = (4, 4, 6, 4, 4, 4)
AUXILIARY_WEIGHT = 0.3
PLAIN = Style(norm="none", padding="symmetric")
NORMALISED = Style(padding="symmetric", epsilon=1e-3)


@dataclass(frozen=True)
class GoogLeNet(Row):
    """One network of inception modules.

    stages: the modules of each stage, each with the filters of its 1x1, of the 1x1 before the 3x3, the 3x3, the 1x1
        before the wide kernel, the wide kernel, and the 1x1 after pooling (the table of the paper, left to right).
    stem_filters: 7x7, then 1x1 and 3x3. wide: side of the widest kernel, 5 in the paper.
    last_pool: side of the window pooled before the last stage. local_norm: local response normalisation in the stem.
    dropout: before the last layer. auxiliary: filters and units of the two further classifiers, and their dropout.
    """

    residual = False

    stages: tuple[tuple[tuple[int, ...], ...], ...] = STAGES
    stem_filters: tuple[int, int, int] = (64, 64, 192)
    wide: int = 5
    last_pool: int = 3
    local_norm: bool = False
    dropout: float = 0.4
    auxiliary: tuple[int, int] = (128, 1024)
    auxiliary_dropout: float = 0.7
    style: Style = field(default=NORMALISED, kw_only=True)

    def __post_init__(self):
        modules = [module for stage in self.stages if isinstance(stage, tuple) for module in stage]
        if not modules or any(not isinstance(module, tuple) or len(module) != 6 for module in modules):
            raise UserError(
                f"stages is {self.stages!r}: each must list modules, and each module six numbers of filters"
            )
        if len(self.stages) < 2 or not all(self.stages):
            raise UserError(f"stages is {self.stages!r}: it must list two or more, each with a module or more")


TOY_STAGES = ((TOY_BLOCK,), (TOY_BLOCK,) * 2, (TOY_BLOCK,))

HISTORY = {
    "": History(
        2014,
        "Szegedy et al. 2014, Going deeper with convolutions",
        "alexnet",
        "kernels of three sizes side by side, made affordable by 1×1 bottlenecks; no large fully connected layers",
    ),
    "googlenet_bn": History(
        2015,
        "Ioffe and Szegedy 2015, Batch normalization",
        "googlenet",
        "batch normalisation in place of local response normalisation",
    ),
}

# The row that torchvision has is as its weights need it: 3x3 for 5x5, and 2x2 pooled before the last stage. Where a
# map has an odd side (none has at 224), its 3x3 poolings round down and ours up, as levels do.
VARIANTS = {
    "googlenet_toy": GoogLeNet(TOY_STAGES, (4, 4, 6), local_norm=True, auxiliary=(4, 8)),
    "googlenet": GoogLeNet(local_norm=True, style=PLAIN, params=6_998_552),
    "googlenet_bn": GoogLeNet(params=7_005_832),
    "googlenet_torchvision": GoogLeNet(wide=3, last_pool=2, dropout=0.2, params=6_624_904),
}


def averaged(levels, row):
    """The mean over space, with dropout: (B, 1024)."""
    return dropout(global_average_pool(deepest(levels), "pool"), row.dropout, "pool_dropout")


def auxiliary(levels, row):
    """Two further classifiers, on modules 4a and 4d, which bring gradients to the middle of the net."""
    return {name: (_auxiliary(levels[name], row, name), AUXILIARY_WEIGHT) for name in ("aux1", "aux2")}


def _auxiliary(x, row, name):
    """5x5 windows averaged at stride 3 (14x14 gives 4x4; maps under 5x5 stay), 1x1, one hidden layer: (B, 1024)."""
    filters, units = row.auxiliary
    if all(side is None or side >= 5 for side in x.shape[1:-1]):
        x = average_pool(x, 5, strides=3, padding="valid", name=f"{name}_pool")
    x = conv_norm_act(x, filters, 1, style=row.style, name=f"{name}_reduce")
    x = keras.layers.Flatten(name=f"{name}_flatten")(x)
    x = dense_act(x, units, row.style, f"{name}_hidden")
    return dropout(x, row.auxiliary_dropout, f"{name}_dropout")


@family(VARIANTS, top=averaged, auxiliary=auxiliary, history=HISTORY)
def googlenet(x, row):
    """Kernels of several sizes side by side; 1x1 convolutions before them make the large ones affordable.

    Stages keep the paper's numbers: modules 3a and 3b are "c3_1" and "c3_2". The small stem leaves out the stride and
    the first pooling: the levels are two steps lower.
    """
    x, levels, step = _stem(x, row)
    for stage, modules in enumerate(row.stages):
        size = row.last_pool if stage and stage == len(row.stages) - 1 else 3
        x = max_pool(x, size, strides=2, name=f"c{stage + 3}_pool")
        for i, filters in enumerate(modules):
            x = inception(x, filters, row, f"c{stage + 3}_{i + 1}")
            if stage == 1 and i == 0:
                levels["aux1"] = x
            if stage == 1 and i == max(len(modules) - 2, 0):
                levels["aux2"] = x
        levels[f"c{stage + step}"] = x
    return levels


def _stem(x, row):
    """(x, levels so far, level of the first stage): all before the pooling that leads to the first module."""
    first, reduced, second = row.stem_filters
    if row.stem == "small":
        x, levels, step = conv_norm_act(x, first, 3, style=row.style, name="stem"), {}, 1
    else:
        x = conv_norm_act(x, first, 7, strides=2, style=row.style, name="stem")
        levels, step = {"c1": x}, 3
        x = max_pool(x, 3, strides=2, name="stem_pool")
    x = _local(x, row, "stem_local")
    x = conv_norm_act(x, reduced, 1, style=row.style, name="c2_reduce")
    x = _local(conv_norm_act(x, second, 3, style=row.style, name="c2_spatial"), row, "c2_local")
    return x, {**levels, f"c{step - 1}": x}, step


def _local(x, row, name):
    return LocalResponseNormalization(name=name)(x) if row.local_norm else x


def inception(x, filters, row, name):
    """One module: 1x1, 3x3, a wider kernel and pooling side by side, (B, n..., C) -> (B, n..., sum of four filters)."""
    single, before_spatial, spatial, before_wide, wide, pooled = filters
    style = row.style
    branches = [conv_norm_act(x, single, 1, style=style, name=f"{name}_single")]
    for width, kernel, out, part in ((before_spatial, 3, spatial, "spatial"), (before_wide, row.wide, wide, "wide")):
        y = conv_norm_act(x, width, 1, style=style, name=f"{name}_{part}_reduce")
        branches.append(conv_norm_act(y, out, kernel, style=style, name=f"{name}_{part}"))
    y = max_pool(x, 3, strides=1, name=f"{name}_pool")
    branches.append(conv_norm_act(y, pooled, 1, style=style, name=f"{name}_project"))
    return concatenate(branches, f"{name}_concat")
