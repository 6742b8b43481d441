"""Registry: a dict of named rows that refuses a second entry and suggests close names."""

from collections.abc import Mapping

from kcnn.errors import unknown_name


class Registry(Mapping):
    """Named things of one `kind` ("architecture", "head", ...), in the order in which they were added.

    Reading an unknown name raises `UserError` with the closest known names; adding a name twice raises
    `ValueError`, so that no file can silently replace another's row.
    """

    def __init__(self, kind):
        self.kind = kind
        self._rows = {}

    def add(self, name, row):
        """Add `row` under `name` and return it; a second row of that name is refused."""
        if name in self._rows:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._rows[name] = row
        return row

    def register(self, name):
        """Decorator: add the decorated function or class under `name`."""
        return lambda row: self.add(name, row)

    def __getitem__(self, name):
        if name not in self._rows:
            raise unknown_name(self.kind, name, self._rows)
        return self._rows[name]

    def __contains__(self, name):
        return name in self._rows

    def get(self, name, default=None):
        """The row under `name`, or `default`."""
        return self._rows.get(name, default)

    def __iter__(self):
        return iter(self._rows)

    def __len__(self):
        return len(self._rows)
