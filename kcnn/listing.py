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
             "explainers": partial(_named, "explainers", 24),
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


def _named(kind, width=16):
    """A line for each name of a `kind` of the catalogue."""
    from kcnn.catalogue import catalogue

    return [f"{name:{width}s}{line}" for name, line in catalogue()[kind].items()]


def _augmentations():
    policies, operations = _named("policies", 24), _named("operations", 24)
    head = ("policies, for augment.policy:", "operations, for augment.steps, and the unit of low and high:")
    return [head[0], *policies, "", head[1], *operations]


def _recipes():
    from kcnn.resources import recipe_titles

    return [f"{name:28s}{title}" for name, title in recipe_titles().items()]


def _options():
    from kcnn.recipe import options

    return [f"{path:28s}{_type(kind):22s} {_shown(default):16s} {text}" for path, kind, default, text in options()]


def _tips():
    from kcnn.advice import TIPS

    return [f"{name:48s}{tip.kind:10s}{tip.does}" for name, tip in TIPS.items()]


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
