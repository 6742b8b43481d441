"""A recipe said as Python, TOML and command: do all three mean the same recipe?"""

import shlex
import tomllib

import pytest

from kcnn import cli, recipe
from kcnn.recipe import Recipe, as_command, as_python, as_toml, changes, parse, read
from kcnn.resolving import resolve
from kcnn.resources import recipes

ODD = {
    "data.source": "my photos/it's.zip",
    "model.overrides": {"width": 16, "depths": [1, 1, 1, 1]},
    "augment.crop_area": (0.25, 1.0),
    "augment.steps": [
        {"choices": [{"operation": "rotate", "low": -5.0, "high": 5.0}], "probability": 0.5},
        {"choices": [{"operation": "invert"}]},
    ],
    "train.ema": 0.99,
    "train.nesterov": False,
    "runtime.seed": 7,
}
ALL = {name: read(path) for name, path in recipes().items()} | {"odd": Recipe().override(ODD), "default": Recipe()}


@pytest.mark.parametrize("name", ALL)
def test_the_three_ways_mean_the_same(name, monkeypatch):
    meant = ALL[name]
    assert parse(tomllib.loads(as_toml(meant))) == meant
    called = []
    scope = {"kcnn": None}
    code = as_python(meant).replace("import kcnn\n", "")
    scope["kcnn"] = type("kcnn", (), {"build_and_fit": staticmethod(called.append)})
    exec(code, scope)
    assert resolve(called[0])[0] == meant
    assert _of_command(as_command(meant), monkeypatch) == meant


def _of_command(command, monkeypatch):
    """The recipe that the command line would train."""
    from types import SimpleNamespace

    from typer.testing import CliRunner

    asked = []
    monkeypatch.setattr(
        cli.training, "the_api", lambda: SimpleNamespace(build_and_fit=lambda it, name: asked.append(it))
    )
    monkeypatch.setattr(cli.training, "_tell_of", lambda run: None)
    words = shlex.split(command.replace("\\\n", ""))
    assert words[:2] == ["kcnn", "fit"]
    done = CliRunner().invoke(cli.app, words[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return asked[0]


def test_only_what_differs_is_said():
    assert changes(Recipe()) == {}
    assert changes(Recipe().override({"train.epochs": 5})) == {"train.epochs": 5}
    assert (
        as_command(Recipe().override({"train.epochs": 5}))
        == "kcnn fit \\\n    --data builtin:digits \\\n    --epochs 5"
    )


def test_a_setting_nested_without_end_is_taken_for_text():
    assert recipe.parse_setting("model.style=" + "[" * 20_000) == ("model.style", "[" * 20_000)


def test_every_field_has_a_schema_with_a_description():
    paths = [path for path, *_ in recipe.options()]
    found = dict(recipe.fields())
    assert list(found) == paths and all(spec["description"] for spec in found.values())
    marked = {mark for spec in found.values() for mark in ("basic", "place", "written", "names") if mark in spec}
    assert marked == {"basic", "place", "written", "names"}
