"""The card of a run tells what its own files tell, for each task, and reads as a page."""

import json
import re

import numpy as np
import pytest

import kcnn
from kcnn.errors import UserError
from kcnn.model_card import card, page
from kcnn.run_record import Record
from tests.test_cli import kcnn as command

TINY = {"epochs": 1, "train.batch_size": 4, "data.limit": 8}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """{task: a run of one epoch on few pictures}."""
    folder = {"runtime.runs": str(tmp_path_factory.mktemp("runs"))}
    pictures = np.random.default_rng(0).integers(0, 255, (12, 24, 24, 3), dtype=np.uint8), np.arange(12) % 3
    scenes = {"unet": {"filters": [8, 8]}, "yolo": {"filters": 8}}
    found = {"labels": kcnn.build_and_fit({}, pictures, name="pictures", architecture="simple_cnn_toy", epochs=1,
                                          **folder, **{"train.batch_size": 4, "data.validation": 0.5})}  # fmt: skip
    for task, (head, options) in zip(("masks", "boxes"), scenes.items(), strict=True):
        settings = folder | TINY | {"model.head": head, "model.head_options": options}
        found[task] = kcnn.build_and_fit({}, "builtin:digit-scenes", name=task, architecture="resnet_toy", **settings)
    return found


@pytest.mark.parametrize("task", ["labels", "masks", "boxes"])
def test_a_card_tells_what_the_runs_files_tell(runs, task):
    run = runs[task]
    path = run.card()
    found, text = json.loads((path.parent / "card.json").read_text("utf-8")), path.read_text("utf-8")
    assert path == run.path / "report" / "card.md" and found == card(Record(run.path)) and text == page(found)
    assert found["model"]["classes"] == run.class_names and found["model"]["task"] == task
    assert found["data"]["fingerprint"] == run.facts.fingerprint and len(found["data"]["fingerprint"]) == 64
    for split, figures in run.splits.items():
        own = found["scores"][split][run.main_metric]
        assert own["value"] == figures[run.main_metric] and own["interval"] == figures.get("intervals", {}).get(
            run.main_metric
        )
    assert found["training"]["versions"]["keras"] and found["training"]["recipe"] == run.recipe.to_toml()
    for picture in re.findall(r"\]\(([^)]*\.png)\)", text):
        assert (path.parent / picture).is_file(), picture
    assert any(line.startswith("It has seen ") for line in found["limits"])
    assert "How it fares on corrupted pictures was not measured." in found["limits"]
    assert any("Fewer than 30 of" in line for line in found["limits"]) == (task == "labels")


def test_exports_and_repeated_uses_are_told(runs, capsys):
    run = runs["labels"]
    run.export("keras")
    status, out, _ = command(capsys, "card", run.path)
    text = (run.path / "report" / "card.md").read_text("utf-8")
    assert status == 0 and out == f"wrote {run.path / 'report' / 'card.md'}\n"
    assert "## Exports" in text and "| keras | 0." in text and "100.00%" in text and "No test split was scored" in text
    told = card(Record(runs["masks"].path))
    assert not [line for line in told["limits"] if "times" in line]
    runs["masks"].evaluate("test")
    told = card(Record(runs["masks"].path))
    assert [line for line in told["limits"] if line.startswith("The split test was used 2 times")]


def test_names_cannot_break_the_page(runs):
    found = card(Record(runs["labels"].path))
    found["name"], found["model"]["classes"] = "a|b\n# c", ["<b>", "x|y"]
    lines = page(found).splitlines()
    assert lines[0] == r"# Model card: a\|b \# c" and r"| classes | \<b\>, x\|y |" in lines


def test_a_run_without_a_report_has_no_card(runs, tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    for name in ("recipe.toml", "facts.json", "status.json"):
        (folder / name).write_bytes((runs["labels"].path / name).read_bytes())
    with pytest.raises(UserError, match="a model card comes when training"):
        Record(folder).card()
