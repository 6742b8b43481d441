"""The public names are true, importing them is cheap, and README and recipes run as they stand."""

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import typer

import kcnn
from kcnn import cli, recipe, session, views
from kcnn.resolving import resolve
from kcnn.resources import recipes
from tests.gunpoint import write_gunpoint

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


def test_all_is_true_sorted_and_documented():
    assert kcnn.__all__ == sorted(kcnn.__all__)
    for name in kcnn.__all__:
        assert getattr(kcnn, name).__doc__, f"{name} has no docstring"
    with pytest.raises(AttributeError, match="no attribute 'build_modle'"):
        _ = kcnn.build_modle


def test_import_and_help_load_neither_tensorflow_nor_keras():
    code = "import sys, kcnn; from kcnn import cli; sys.argv = ['kcnn', '--help']\n"
    code += "try: cli.main()\nexcept SystemExit: pass\n"
    code += "heavy = {'tensorflow', 'keras', 'numpy', 'sklearn', 'matplotlib', 'streamlit'} & set(sys.modules)\n"
    code += "raise SystemExit(str(heavy) if heavy else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_readme_has_the_two_commands_and_its_python_is_python():
    text = README.read_text("utf-8")
    assert "pip install -e . && kcnn demo" in text and 'pip install -e ".[dev]" && pytest' in text
    blocks = [code for language, code in BLOCKS if language == "python"]
    assert blocks
    for code in blocks:
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "kcnn":
                assert node.attr in kcnn.__all__, node.attr
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "run":
                assert hasattr(kcnn.Run, node.attr), node.attr


def test_readme_fits_a_model_of_build_model_by_its_logits(tmp_path, monkeypatch):
    """README's own lines, on a toy."""
    import tensorflow as tf

    monkeypatch.chdir(tmp_path)
    (block,) = (code for language, code in BLOCKS if language == "python" and "kcnn.fit(" in code)
    lines = [line for line in block.splitlines() if line.startswith(("import ", "loss ", "fitted "))]
    x, y = np.random.default_rng(0).integers(0, 255, (16, 16, 16, 3)).astype("float32"), np.arange(16) % 5
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    model = kcnn.build_model("resnet_toy", input_shape=(16, 16, 3), num_classes=5)
    names = {"kcnn": kcnn, "model": model, "my_batches": batches}
    exec("\n".join(lines), names)
    assert names["fitted"].state == "finished" and len(names["fitted"].history) == 5
    assert np.ptp(np.sum(model(x), axis=1)) > 1e-3, "no probabilities, which would add up to 1"
    assert names["loss"].get_config()["from_logits"]


COMMANDS = [
    line.partition("#")[0]
    for language, code in BLOCKS
    if language == "sh"
    for line in code.splitlines()
    if line.startswith("kcnn ")
]


@pytest.mark.parametrize("line", COMMANDS)
def test_readme_commands_are_words_of_the_command_line(line):
    words = shlex.split(line)[1:]
    group = typer.main.get_command(cli.app)
    with group.commands[words[0]].make_context(words[0], words[1:]) as context:
        assert context.params
    for setting in (w for w, before in zip(words[1:], words, strict=False) if before == "--set"):
        recipe.Recipe().override(dict([recipe.parse_setting(setting)]))


TABLES = [code for language, code in BLOCKS if language == "toml"]


@pytest.mark.parametrize("code", TABLES)
def test_readme_tables_are_parts_of_a_recipe_that_can_be_drawn_from(code):
    from kcnn.data.policies import policy_of

    asked = recipe.parse(tomllib.loads(code))
    assert (policy_of(asked.augment) is not None) == ("augment" in code)


def _needs(name):
    """Marks for a recipe whose data is not everywhere."""
    source = recipe.read(recipes()[name]).data.source
    return () if source.startswith("builtin:") or source == "gunpoint.npz" else (pytest.mark.needs_data,)


def _small(name, folder, monkeypatch):
    """Settings under which a recipe is a matter of seconds, with its data where they are."""
    base = recipe.read(recipes()[name])
    monkeypatch.chdir(os.environ.get("KCNN_DATA", folder))
    settings = {
        "runs": str(folder),
        "epochs": 1,
        "batch_size": 8,
        "limit": 16,
        "warmup_epochs": 0.0,
        "freeze_epochs": 0,
    }
    if base.model.weights:
        file = Path("weights", base.model.weights)
        settings["weights"] = str(file) if file.is_file() else None
    stamps = {"photos": "stamps/folder", "scans": "stamps/coco"}
    if base.data.source in stamps:
        settings["data.source"] = stamps[base.data.source]
    if base.data.source == "gunpoint.npz":
        settings["data.source"] = str(write_gunpoint(folder))
    return settings


RECIPES = [pytest.param(name, marks=_needs(name)) for name in recipes()]
SOON = ("classify/digits", "segment/digit_scenes", "detect/digit_scenes")  # a recipe of each task


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_takes_a_step(name, tmp_path, monkeypatch):
    chosen, _ = resolve(name, None, _small(name, tmp_path, monkeypatch))
    opened = session.prepare(chosen)
    batch = next(iter(views.batches(opened, "train", augment=opened.recipe.augment)))
    engine = session.make_engine(opened)
    sums, _ = engine.train_step(batch, np.float32(1e-4), np.float32(0))
    assert np.isfinite(engine.means(sums)["loss"])


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=(*_needs(name), *(() if name in SOON else (pytest.mark.slow,)))) for name in recipes()
])  # fmt: skip
def test_every_recipe_runs_to_its_report(name, tmp_path, monkeypatch):
    run = kcnn.build_and_fit(name, **_small(name, tmp_path, monkeypatch))
    assert run.status["state"] == "finished" and run.status["steps"] <= 2 and run.report.exists()
