"""Lists of what kcnn has, for the command line and the docs."""

import json
import typing
from dataclasses import asdict
from functools import partial
from types import UnionType

from kcnn.errors import UserError, unknown_name

LIGHT = ("recipes", "options", "tips")  # lists that need no TensorFlow


def lines(what):
    """The lines of `kcnn list WHAT`, those of all words if None; raises `UserError` for another word."""
    lists = {"architectures": architectures, "heads": partial(_named, "heads"), "augmentations": _augmentations,
             "schedules": partial(_named, "schedules"), "optimizers": partial(_named, "optimizers"),
             "explainers": partial(_named, "explainers"),
             "recipes": _recipes, "options": _options, "tips": _tips}  # fmt: skip
    if what is None:
        return [f"kcnn list {word}" for word in lists]
    if what not in lists:
        raise unknown_name("list", what, lists)
    return lists[what]()


def architectures(bounds=None, as_json=False):
    """The lines of `kcnn list architectures` within `bounds`, as `kcnn.inspection.shelf` takes them."""
    from kcnn.inspection import shelf
    from kcnn.inspection.description import large

    found = shelf(**(bounds or {}))
    if as_json:
        return [json.dumps([asdict(entry) for entry in found], indent=1)]
    if not found:
        raise UserError(f"no architecture is within {', '.join(f'{name} = {bound}' for name, bound in bounds.items())}")
    head = f"{'':24s}{'year':>5s}{'parameters':>13s}{'mult.-adds':>12s}{'deep':>6s}  idea"
    return [head] + [
        f"{entry.name:24s}{entry.year or '':>5}{entry.parameters:>13,}{large(entry.multiply_adds):>12s}"
        f"{entry.depth:>6d}  {entry.idea}"
        for entry in found
    ]


def _named(kind):
    """A line for each name of a `kind` of the catalogue."""
    from kcnn.catalogue import catalogue

    return _aligned(catalogue()[kind].items())


def _augmentations():
    heads = ("policies, for augment.policy:", "operations, for augment.steps, and the unit of low and high:")
    return [heads[0], *_named("policies"), "", heads[1], *_named("operations")]


def _recipes():
    from kcnn.resources import recipe_titles

    return _aligned(recipe_titles().items())


def _options():
    from kcnn.recipe import options

    return _aligned((path, _type(kind), _shown(default), text) for path, kind, default, text in options())


def _tips():
    from kcnn.advice import TIPS

    return _aligned((name, tip.kind, tip.does) for name, tip in TIPS.items())


def _aligned(rows):
    """Lines of `rows` of words, each column as wide as its longest."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return ["  ".join([*map(str.ljust, row, widths), row[-1]]) for row in rows]


def _shown(default):
    if isinstance(default, tuple):
        return " to ".join(f"{number:.4g}" for number in default) or "none"
    return "none" if default is None else str(default).lower() if isinstance(default, bool) else str(default)


def _type(kind):
    """A type as a user writes it: "int or none", "crop, stretch or pad"."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return "|".join(map(str, inside))
    if origin in (UnionType, typing.Union):
        return " or ".join("none" if part is type(None) else _type(part) for part in inside)
    if origin is tuple:
        return "two numbers" if Ellipsis not in inside else "tables" if _has_fields(inside[0]) else "pairs of integers"
    if origin is typing.Annotated:
        return _type(inside[0])
    return {"float": "number", "str": "text", "int": "integer", "bool": "true|false", "dict": "table"}.get(
        getattr(kind, "__name__", "") or "", str(kind)
    )


def _has_fields(kind):
    return hasattr(kind, "model_fields")
