"""Lists of what kcnn has, for the command line and the docs."""

import json
import typing
from dataclasses import asdict
from types import UnionType

from kcnn.errors import UserError, unknown_name

LIGHT = ("recipes", "options", "tips")  # lists that need no TensorFlow


def lines(what):
    """The lines of `kcnn list WHAT`, those of all words if None; raises `UserError` for another word."""
    lists = {"architectures": architectures, "heads": _heads, "augmentations": _augmentations,
             "schedules": _schedules, "optimizers": _optimizers,
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


def _heads():
    from kcnn.heads import HEADS

    return [f"{name:16s}{_first_line(head)}" for name, head in HEADS.items()]


def _augmentations():
    from kcnn.data import OPERATIONS, POLICIES

    policies = [f"{name:24s}{_first_line(policy)}" for name, policy in POLICIES.items()]
    operations = [f"{name:24s}{row.does}{_bounds(row)}" for name, row in OPERATIONS.items() if not row.field]
    head = ("policies, for augment.policy:", "operations, for augment.steps, and the unit of low and high:")
    return [head[0], *policies, "", head[1], *operations]


def _bounds(operation):
    return " {:g} to {:g}".format(*operation.bounds) if operation.bounds else ""


def _schedules():
    from kcnn.training import SCHEDULES

    return [f"{name:16s}{_first_line(schedule)}" for name, schedule in SCHEDULES.items()]


def _optimizers():
    from kcnn.training import OPTIMIZERS

    return [f"{name:16s}{_first_line(optimizer)}" for name, optimizer in OPTIMIZERS.items()]


def _recipes():
    from kcnn.resources import recipes

    return [f"{name:28s}{path.read_text('utf-8').splitlines()[0].lstrip('# ')}" for name, path in recipes().items()]


def _options():
    from kcnn.recipe import options

    return [f"{path:28s}{_type(kind):22s} {_shown(default):16s} {text}" for path, kind, default, text in options()]


def _tips():
    from kcnn.advice import TIPS

    return [f"{name:48s}{tip.kind:10s}{tip.does}" for name, tip in TIPS.items()]


def _first_line(thing):
    return (thing.__doc__ or "").strip().splitlines()[0]


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
