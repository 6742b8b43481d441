"""Recipes as text: TOML files, settings typed in a shell, and the table of all fields."""

import tomllib
from pathlib import Path

from kcnn.disk import read_bounded
from kcnn.errors import UserError
from kcnn.recipe.whole import Recipe, parse

MAX_TOML_BYTES = 1 << 20


def read(path):
    """The recipe in the TOML file `path` (at most 1 MiB)."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no such recipe: {path}; `kcnn list recipes` names those that come with kcnn")
    try:
        return parse(tomllib.loads(read_bounded(path, MAX_TOML_BYTES).decode("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"recipe {path} is no TOML: {error}") from None


def parse_setting(text):
    """("section.key", value) from "section.key=value"; the value is read as TOML, a bare word as a string."""
    path, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set {text!r} must read section.key=value, such as train.epochs=5")
    if value.strip() == "none":
        return path.strip(), None
    try:
        return path.strip(), tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return path.strip(), value.strip()


def options():
    """Every field as (path, type, default, description), in order: the table behind help, forms and docs."""
    for section, field in Recipe.model_fields.items():
        for key, spec in field.annotation.model_fields.items():
            yield f"{section}.{key}", spec.annotation, spec.default, spec.description


def fields():
    """(path, JSON schema) of every field, in order: with its bounds, and the marks that `recipe.section` lists."""
    for section, field in Recipe.model_fields.items():
        for key, spec in field.annotation.model_json_schema()["properties"].items():
            yield f"{section}.{key}", spec


def flat(tree, path=""):
    """{"a.b": value} of nested dicts."""
    found = {}
    for key, value in tree.items():
        found |= flat(value, f"{path}{key}.") if isinstance(value, dict) else {f"{path}{key}": value}
    return found
