"""Inception v3 in the files of keras.applications, torchvision and timm."""

import re

from kcnn.pretrained.layouts import UNIT, layout, parsed

LAYER = re.compile(r"(c\d+_\d+)_(\w+)")
STEM = ("stem", "c1_2", "c1_3", "c2_1", "c2_2")
TORCHVISION = dict(zip(STEM, ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3"), strict=True))
ROOMS = ["5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"]

# The parts of each kind of module in the order of Keras's files: by depth in the graph, not by branch.
SMALL = ["double_1", "wide_1", "double_2", "single", "wide_2", "double_3", "project"]
FIRST = ["double_1", "double_2", "wide", "double_3"]
FACTORISED = ["double_1", "double_2", "wide_1", "double_3", "wide_2", "double_4", "single", "wide_3", "double_5"]
FACTORISED += ["project"]
SECOND = ["double_1", "double_2", "wide_1", "double_3", "wide_2", "double_4"]
SPREAD = ["double_1", "wide_1", "double_2", "wide_2a", "wide_2b", "double_3a", "double_3b", "single", "project"]


@layout("inception_v3", "keras", scaling=UNIT)
def keras(layer, row):
    if layer == "logits":
        return "predictions"
    order = list(STEM)
    for name, parts in _modules(row).items():
        order += [f"{name}_{part}" for part in parts]
    kind = "batch_normalization" if layer.endswith("_norm") else "conv2d"
    return f"{kind}#{order.index(layer.removesuffix('_norm')) + 1}"


@layout("inception_v3", "torchvision", "timm", scaling=UNIT, style={"norm_scale": True, "padding": "symmetric"})
def torchvision(layer, row):
    if layer == "logits":
        return "fc"
    kind = "bn" if layer.endswith("_norm") else "conv"
    layer = layer.removesuffix("_norm")
    if layer in TORCHVISION:
        return f"Conv2d_{TORCHVISION[layer]}.{kind}"
    module, part = parsed(LAYER, layer)
    modules = _modules(row)
    branch, _, number = part.partition("_")
    room = ROOMS[list(modules).index(module)]
    return f"Mixed_{room}.branch{_branch(branch, modules[module])}{f'_{number}' if number else ''}.{kind}"


def _modules(row):
    """{name of each module: its parts}, in order."""
    kinds = [SMALL] * len(row.pooled), [FIRST, *[FACTORISED] * len(row.factorised)], [SECOND, *[SPREAD] * row.last]
    return {f"c{stage}_{i}": parts for stage, found in enumerate(kinds, 3) for i, parts in enumerate(found, 1)}


def _branch(branch, parts):
    """torchvision names branches after their kernels."""
    if branch in ("single", "project"):
        return {"single": "1x1", "project": "_pool"}[branch]
    if parts is SMALL:
        return {"wide": "5x5", "double": "3x3dbl"}[branch]
    if parts is FACTORISED:
        return {"wide": "7x7", "double": "7x7dbl"}[branch]
    return {"wide": "3x3", "double": "7x7x3" if parts is SECOND else "3x3dbl"}[branch]
