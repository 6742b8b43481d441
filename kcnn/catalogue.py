"""What kcnn has, by name: each registry once, with a line on each of its rows."""

from kcnn.architectures import ARCHITECTURES
from kcnn.data import OPERATIONS, POLICIES
from kcnn.exporting import EXPORTERS
from kcnn.heads import HEADS
from kcnn.inspection import EXPLAINERS, VIEWS
from kcnn.training import OPTIMIZERS, SCHEDULES


def catalogue():
    """{kind: {name: one line on it}} of all that is registered: architectures, heads, optimizers, explainers, …

    The kinds are the words that a recipe's JSON schema has under "names".
    """
    return {
        "architectures": {name: _of_variant(variant) for name, variant in ARCHITECTURES.items()},
        "heads": _first_lines(HEADS),
        "policies": _first_lines(POLICIES),
        "operations": {name: row.does + _bounds(row) for name, row in OPERATIONS.items() if not row.field},
        "schedules": _first_lines(SCHEDULES),
        "optimizers": _first_lines(OPTIMIZERS),
        "explainers": _first_lines(EXPLAINERS),
        "views": {name: row.description for name, row in VIEWS.items() if not row.needs_image},
        "views of a picture": {name: row.description for name, row in VIEWS.items() if row.needs_image},
        "views that last": {name: row.description for name, row in VIEWS.items() if row.lasts},
        "export formats": {name: row.description for name, row in EXPORTERS.items()},
    }


def _of_variant(variant):
    return variant.history.change if variant.history else _first_line(variant.build)


def _first_lines(registry):
    return {name: _first_line(row) for name, row in registry.items()}


def _first_line(thing):
    return (thing.__doc__ or "").strip().partition("\n")[0]


def _bounds(operation):
    return " {:g} to {:g}".format(*operation.bounds) if operation.bounds else ""
