"""A recipe said in the three ways: as Python, as TOML and as a command. Only what differs from the default is said."""

import pprint
import shlex

import tomli_w

from kcnn.recipe.whole import Recipe, without_none

OPTIONS = {"data.source": "--data", "model.architecture": "--architecture", "model.head": "--head",
           "train.epochs": "--epochs", "model.weights": "--weights"}  # fmt: skip


def changes(recipe):
    """{"section.key": value} of what differs from the default recipe; tables are single values."""
    default = Recipe().model_dump(mode="json")
    return {
        f"{section}.{key}": value
        for section, fields in recipe.model_dump(mode="json").items()
        for key, value in fields.items()
        if value != default[section].get(key)
    }


def as_python(recipe, name=""):
    """Python that trains it, as a run called `name` if that is given."""
    text = pprint.pformat(_nested(recipe), width=88, indent=1, sort_dicts=False).replace("\n", "\n" + 9 * " ")
    called = f", name={name!r}" if name else ""
    return f"import kcnn\n\nrecipe = {text}\nrun = kcnn.build_and_fit(recipe{called})"


def as_toml(recipe):
    """The recipe as TOML; all sections' other fields are the defaults. None, which TOML lacks, is left out."""
    return tomli_w.dumps(without_none(_nested(recipe))) or "# all of it is the default\n"


def as_command(recipe, name=""):
    """The command that trains it, as a run called `name` if that is given."""
    said = {"data.source": recipe.data.source} | changes(recipe)
    words = ["kcnn fit", *(f"{OPTIONS[key]} {shlex.quote(str(v))}" for key, v in said.items() if key in OPTIONS)]
    words += [f"--set {shlex.quote(f'{key}={_bare(v)}')}" for key, v in said.items() if key not in OPTIONS]
    words += [f"--name {shlex.quote(name)}"] if name else []
    return " \\\n    ".join(words)


def _nested(recipe):
    tree = {}
    for path, value in ({"data.source": recipe.data.source} | changes(recipe)).items():
        section, _, key = path.partition(".")
        tree.setdefault(section, {})[key] = value
    return tree


def _bare(value):
    """As `as_value`, without the quotes that a plain word does not need."""
    plain = isinstance(value, str) and value.isidentifier() and value not in ("none", "true", "false", "inf", "nan")
    return value if plain else as_value(value)


def as_value(value):
    """A value as TOML has it on one line, as `parse_setting` reads it; none for None."""
    if isinstance(value, dict):
        value = without_none(value)
        return "{" + ", ".join(f"{tomli_w.dumps({k: 0})[:-5]} = {as_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_value, value)) + "]"
    return "none" if value is None else tomli_w.dumps({"v": value})[4:].strip()
