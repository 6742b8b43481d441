"""Which recipe a user means, without TensorFlow: so that its mistakes are told at once."""

from pathlib import Path

from kcnn.errors import UserError, unknown_name
from kcnn.recipe import IN_MEMORY, Recipe, options, parse, read
from kcnn.resources import find_recipe


def resolve(recipe, source=None, settings=None):
    """(the `Recipe` meant by a path, name, dict or Recipe, with `settings` applied; the data if it is in memory)."""
    if isinstance(recipe, dict):
        recipe = parse(recipe)
    elif not isinstance(recipe, str | Path | Recipe):
        kinds = "a path, a name, a dict or a Recipe"
        raise UserError(f"the recipe is a {type(recipe).__name__}, not {kinds}: give data as `source`")
    elif not isinstance(recipe, Recipe):
        recipe = read(find_recipe(recipe))
    changes = {_full_key(key): value for key, value in (settings or {}).items()}
    address = str(source) if isinstance(source, str | Path) else None if source is None else IN_MEMORY
    if address and changes.get("data.source", address) != address:
        raise UserError(f"the data is given twice: {address} and data.source = {changes['data.source']}; leave one out")
    if address:
        changes["data.source"] = address
    return recipe.override(changes), source if address == IN_MEMORY else None


def _full_key(key):
    """A setting's full path: "train.epochs" for "epochs"."""
    if "." in key:
        return key
    keys = {path.partition(".")[2]: path for path, *_ in options()}
    if key not in keys:
        raise unknown_name("setting", key, keys)
    return keys[key]
