"""The shelf: all architectures side by side, by year, cost and idea.

Costs at the papers' inputs are kept in costs.json, since counting them takes a build of each network; those of an
architecture that is not there, such as a user's own, are counted when asked for. `python -m tests.record_costs` writes
the file anew.
"""

import functools
import json
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

from kcnn.architectures import ARCHITECTURES
from kcnn.errors import UserError, unknown_name
from kcnn.inspection.description import describe

FILE = Path(__file__).with_name("costs.json")
COUNTED = ("parameters", "multiply_adds", "activation_bytes", "depth")


@dataclass(frozen=True)
class Entry:
    """One architecture: where it comes from, its idea in a sentence, and its costs at its paper's input."""

    name: str
    family: str
    year: int | None
    idea: str
    image: tuple[int, ...]
    classes: int
    parameters: int
    multiply_adds: int
    activation_bytes: int
    depth: int


def shelf(*, family=None, since=None, until=None, max_parameters=None, max_multiply_adds=None, toys=False):
    """The `Entry`s within these bounds, oldest first; the toys, which are for tests, only if asked for.

    An architecture without a year is left out by bounds of years. Raises `UserError` for an unknown family, and for a
    bound that is no number.
    """
    bounds = {"since": since, "until": until}
    bounds |= {"max_parameters": max_parameters, "max_multiply_adds": max_multiply_adds}
    for name, bound in bounds.items():
        if bound is not None and not isinstance(bound, Real):
            raise UserError(f"{name} is {bound!r}: it must be a number")
    families = {variant.family for variant in ARCHITECTURES.values()}
    if family is not None and family not in families:
        raise unknown_name("family", family, families)
    found = []
    for name, variant in ARCHITECTURES.items():
        year = variant.history.year if variant.history else None
        if (name.endswith("_toy") and not toys) or family not in (None, variant.family):
            continue
        if (since is not None and (year or -1) < since) or (until is not None and (year or 10**6) > until):
            continue
        entry = _entry(name, variant, year)
        if _within(entry.parameters, max_parameters) and _within(entry.multiply_adds, max_multiply_adds):
            found.append(entry)
    return sorted(found, key=lambda entry: (entry.year or 10**6, entry.family, entry.parameters))


def _within(number, most):
    return most is None or number <= most


def count(name):
    """The costs of an architecture at its paper's input, counted on the network."""
    found = describe(name, with_ancestor=False)
    return {word: getattr(found, word) for word in COUNTED}


def _entry(name, variant, year):
    costs = _kept().get(name) or count(name)
    idea = variant.history.change if variant.history else (variant.build.__doc__ or "").strip().split(".")[0]
    return Entry(name, variant.family, year, idea, variant.row.image, variant.row.classes, **costs)


@functools.cache
def _kept():
    return json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
