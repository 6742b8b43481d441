"""The recipe as a whole: its sections, checked together, changed and written."""

import typing

import tomli_w
from pydantic import ValidationError, model_validator

from kcnn.errors import UserError, unknown_name
from kcnn.recipe.augment import Augment
from kcnn.recipe.data import Data
from kcnn.recipe.model import Model
from kcnn.recipe.runtime import Runtime
from kcnn.recipe.section import Section
from kcnn.recipe.train import Train


class Recipe(Section):
    """All of it. `Recipe()` is the default recipe; every field is documented by `kcnn list options`."""

    data: Data = Data()
    model: Model = Model()
    augment: Augment = Augment()
    train: Train = Train()
    runtime: Runtime = Runtime()

    @model_validator(mode="after")
    def _same_margins(self):
        if (framing := self.data.framing) in ("pad", "native") and self.augment.fill:
            raise ValueError(
                f"augment.fill must be 0 where data.framing is {framing!r}: margins are black in serving too"
            )
        return self

    def override(self, changes):
        """A new recipe with `changes`, a dict of "section.key" → value; unknown keys raise `UserError`."""
        tree = self.model_dump()
        for path, value in changes.items():
            section, _, key = path.partition(".")
            if section not in tree:
                raise unknown_name("recipe section", section, tree)
            if not key:
                raise UserError(f"recipe key {path!r} must read section.key, such as train.epochs")
            tree[section][key] = value
        return parse(tree)

    def to_toml(self):
        """The whole recipe as TOML text; fields that are None are left out, as TOML has no null."""
        return tomli_w.dumps(without_none(self.model_dump(mode="json")))


def parse(tree):
    """A checked `Recipe` from nested dicts; every mistake is one line naming the key, the rule and the value."""
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        raise UserError("; ".join(_explain(e) for e in error.errors())) from None


def without_none(tree):
    """Nested dicts and lists without the keys whose value is None."""
    if isinstance(tree, list):
        return [without_none(part) for part in tree]
    return {k: without_none(v) for k, v in tree.items() if v is not None} if isinstance(tree, dict) else tree


def _section_at(path):
    """The section of the recipe at a `path` such as ("augment", "steps", 0)."""
    section = Recipe
    for part in path:
        if isinstance(part, str):
            kind = section.model_fields[part].annotation
            section = typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else kind
    return section


def _explain(error):
    path = ".".join(
        str(part) for part in error["loc"] if not str(part).startswith(("function-", "tuple", "constrained"))
    )
    if error["type"] == "extra_forbidden":
        *parents, key = error["loc"]
        where = f" (in [{'.'.join(part for part in parents if isinstance(part, str))}])" if parents else ""
        return str(unknown_name("recipe key", key, _section_at(parents).model_fields)) + where
    rule = error["msg"].removeprefix("Value error, ")
    if not path:
        return rule
    return f"recipe key {path}: {rule[0].lower()}{rule[1:]}, not {error['input']!r}"
