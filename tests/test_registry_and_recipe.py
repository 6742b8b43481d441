"""The registry refuses and suggests; the recipe checks, overrides and survives a trip through TOML."""

import tomllib

import pytest

from kcnn import recipe
from kcnn.errors import UserError
from kcnn.recipe import Recipe
from kcnn.registry import Registry
from kcnn.resolving import resolve
from kcnn.resources import find_recipe, recipes


def test_registry_refuses_a_second_row_and_suggests_names():
    rows = Registry("net")
    rows.add("resnet18", 1)
    with pytest.raises(ValueError, match="registered twice"):
        rows.add("resnet18", 2)
    with pytest.raises(UserError, match="unknown net 'resnet19': did you mean 'resnet18'"):
        rows["resnet19"]
    assert list(rows) == ["resnet18"] and "x" not in rows and rows.get("x") is None


def test_toml_round_trip_keeps_every_field():
    changed = Recipe().override({"train.epochs": 3, "augment.crop_area": (0.5, 1.0), "model.overrides": {"width": 8}})
    again = recipe.parse(tomllib.loads(changed.to_toml()))
    assert again == changed


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"train": {"epoch": 3}}, "unknown recipe key 'epoch': did you mean 'epochs'"),
        ({"trian": {}}, "did you mean 'train'"),
        ({"data": {"framing": "pad"}, "augment": {"fill": 9}}, "^augment.fill must be 0 where data.framing is 'pad'"),
        ({"train": {"epochs": "many"}}, "train.epochs: .* not 'many'"),
        ({"train": {"epochs": 0}}, "greater than or equal to 1, not 0"),
        ({"augment": {"crop_area": [0.5, 2.0]}}, "augment.crop_area"),
        ({"augment": {"scale": [1.2, 0.8]}}, "augment.scale: .* must not be above the second"),
        ({"augment": {"flip_horizontal": 2}}, "augment.flip_horizontal: .* not 2"),
        ({"data": {"framing": "zoom"}}, "'crop', 'stretch', 'pad' or 'native', not 'zoom'"),
    ],
)
def test_mistakes_are_one_line_naming_key_rule_and_value(tree, message):
    with pytest.raises(UserError, match=message) as error:
        recipe.parse(tree)
    assert "\n" not in str(error.value)


def test_unknown_section_and_bare_key_are_refused():
    with pytest.raises(UserError, match="unknown recipe section 'trains'"):
        Recipe().override({"trains.epochs": 1})
    with pytest.raises(UserError, match="must read section.key"):
        Recipe().override({"train": 1})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train.epochs=5", ("train.epochs", 5)),
        ("augment.crop_area=[0.2, 1.0]", ("augment.crop_area", [0.2, 1.0])),
        ("data.source=photos/cats", ("data.source", "photos/cats")),
        ("train.ema=none", ("train.ema", None)),
        ("runtime.deterministic=true", ("runtime.deterministic", True)),
    ],
)
def test_settings_are_read_as_toml(text, expected):
    assert recipe.parse_setting(text) == expected


def test_setting_without_equals_is_refused():
    with pytest.raises(UserError, match="section.key=value"):
        recipe.parse_setting("train.epochs")


def test_recipe_files_that_are_no_recipe(tmp_path):
    with pytest.raises(UserError, match="no such recipe"):
        recipe.read(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[train\n")
    with pytest.raises(UserError, match="is no TOML"):
        recipe.read(tmp_path / "bad.toml")
    (tmp_path / "big.toml").write_text("#" * (recipe.MAX_TOML_BYTES + 1))
    with pytest.raises(UserError, match="bytes"):
        recipe.read(tmp_path / "big.toml")


def test_every_option_is_documented_once():
    paths = [path for path, *_ in recipe.options()]
    assert len(paths) == len({path.partition(".")[2] for path in paths}), "a bare key must name one option"
    assert all(text for *_, text in recipe.options())


def test_data_in_the_recipes_place_is_told_where_it_belongs():
    with pytest.raises(UserError, match="the recipe is a tuple, not a path, .*: give data as `source`"):
        resolve(([1], [2]))


def test_own_recipes_are_found_and_valid():
    assert recipes()
    for name, path in recipes().items():
        assert isinstance(recipe.read(find_recipe(name)), Recipe)
        head = path.read_text("utf-8").splitlines()
        assert head[0].startswith("# ") and any(f"kcnn fit {name}" in line for line in head), f"{name} shows no command"
    with pytest.raises(UserError, match="did you mean 'classify/digits'"):
        find_recipe("classify/digit")
