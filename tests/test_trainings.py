"""Trainings as processes of their own: are they started, watched, stopped, resumed and deleted by files alone?"""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import kcnn
from kcnn.recipe import Recipe

QUICK = {"data.limit": 200, "data.test": 0.1, "model.architecture": "resnet_toy", "train.batch_size": 50}
LIVE = ("starting", "preparing", "training", "evaluating")


def recipe(**changes):
    return Recipe().override(QUICK | {key.replace("__", "."): value for key, value in changes.items()})


def until(trainings, name, does, seconds=300):
    """What is told of a run as soon as it `does`; only a hang is bounded."""
    end = time.monotonic() + seconds
    while not does(seen := trainings.watch(name)):
        assert time.monotonic() < end, (seen["state"], seen["reason"], seen["log"])
        time.sleep(0.1)
    return seen


def ended(seen):
    return seen["state"] not in LIVE


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """(trainings, name) of one that has ended."""
    trainings = kcnn.Trainings(tmp_path_factory.mktemp("runs"))
    name = trainings.start(recipe(train__epochs=2))
    until(trainings, name, ended)
    return trainings, name


def test_a_training_is_told_from_its_start_to_its_report(finished):
    trainings, name = finished
    seen = until(trainings, name, lambda seen: "report:" in seen["log"])
    assert name == "resnet_toy-digits-1" and seen["state"] == "finished" and seen["reason"] is None
    assert [row["epoch"] for row in seen["history"]] == [1, 2] and seen["step"] == seen["steps"] > 0
    assert seen["report"].endswith("report.md") and seen["metrics"]
    assert seen["recipe"].train.epochs == 2
    (row,) = trainings.list()
    assert row["name"] == name and row["state"] == "finished" and row["metrics"] == seen["metrics"]


def test_a_finished_run_is_extended_and_its_name_is_taken(finished):
    trainings, name = finished
    with pytest.raises(kcnn.UserError, match="exists already"):
        trainings.start(recipe(), name)
    with pytest.raises(kcnn.UserError, match="nothing to stop"):
        trainings.stop(name)
    trainings.extend(name, 1)
    with pytest.raises(kcnn.UserError, match="is being trained already"):
        trainings.resume(name)
    with pytest.raises(kcnn.UserError, match="stop it first"):
        trainings.delete(name)
    seen = until(trainings, name, ended)
    assert seen["state"] == "finished" and len(seen["history"]) == 3


def test_stop_resume_and_the_end_of_who_started_it(tmp_path):
    """Started by a process that ends at once; stopped, resumed, killed and deleted by another."""
    (tmp_path / "long.toml").write_text(recipe(train__epochs=2000).to_toml())
    code = (
        "import kcnn, sys; from kcnn.recipe import read; print(kcnn.Trainings('runs').start(read('long.toml'), 'long'))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert said.stdout.split() == ["long"], said.stderr
    trainings = kcnn.Trainings(tmp_path / "runs")
    assert trainings.list()[0]["state"] in LIVE
    seen = until(trainings, "long", lambda seen: len(seen["history"]) >= 1)
    assert os.getpriority(os.PRIO_PROCESS, _pid(tmp_path)) > os.getpriority(os.PRIO_PROCESS, 0)
    trainings.stop("long")
    seen = until(trainings, "long", ended)
    assert seen["state"] == "stopped" and "stop" in seen["reason"] and seen["report"]
    trainings.resume("long")
    seen = until(trainings, "long", lambda now: now["state"] == "training" and now["step"] > seen["step"])
    os.kill(_pid(tmp_path), signal.SIGKILL)
    seen = until(trainings, "long", ended)
    assert seen["state"] == "failed" and "ended without a word" in seen["reason"]
    trainings.delete("long")
    assert trainings.list() == [] and not (tmp_path / "runs" / "long").exists()


def _pid(folder):
    return json.loads((folder / "runs" / "long" / "status.json").read_text())["pid"]


def test_one_that_was_refused_says_why_and_can_be_deleted(tmp_path):
    trainings = kcnn.Trainings(tmp_path)
    name = trainings.start(recipe(data__source=str(tmp_path / "nowhere")))
    assert trainings.list()[0]["state"] == "starting" and name == "resnet_toy-nowhere-1"
    with pytest.raises(kcnn.UserError, match="still starting"):
        trainings.stop(name)
    seen = until(trainings, name, ended)
    assert seen["state"] == "failed" and seen["reason"].startswith("no such folder")
    assert trainings.list()[0]["reason"] == seen["reason"]
    trainings.delete(name)
    assert trainings.list() == []


@pytest.mark.parametrize("name", ["../other", "a/b", ".hidden", "", "nobody"])
def test_names_that_are_no_runs_of_the_folder_are_refused(tmp_path, name):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "recipe.toml").write_text(Recipe().to_toml())
    trainings = kcnn.Trainings(tmp_path / "runs")
    for verb in (trainings.watch, trainings.resume, trainings.stop, trainings.delete):
        with pytest.raises(kcnn.UserError, match="no run|must be a plain folder name"):
            verb(name)
    assert (tmp_path / "other" / "recipe.toml").exists()


def test_a_link_to_a_folder_elsewhere_is_no_run(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "recipe.toml").write_text(Recipe().to_toml())
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "linked").symlink_to(tmp_path / "other")
    with pytest.raises(kcnn.UserError, match="no run 'linked'"):
        kcnn.Trainings(tmp_path / "runs").delete("linked")
    assert kcnn.Trainings(tmp_path / "runs").list() == []
    assert (tmp_path / "other" / "recipe.toml").exists()


@pytest.mark.parametrize("name", ["../x", "..", ".x", "a/b", "a\0b", "a\nb", "n" * 201, "\udcff"])
def test_names_that_no_folder_should_have_are_refused(tmp_path, name):
    for verb in (lambda: kcnn.Trainings(tmp_path).start(recipe(), name), lambda: kcnn.Trainings(tmp_path).watch(name)):
        with pytest.raises(kcnn.UserError, match="run name .*(plain folder name|at most 200: shorten it)"):
            verb()
    assert not list(tmp_path.iterdir())


def test_links_and_hidden_folders_among_the_runs_are_passed_over(tmp_path):
    for place in ("outside/run", "runs/.hidden", "runs/own", "runs/bad\nname"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "recipe.toml").write_text(recipe().to_toml())
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "outside" / "run")
    assert [run["name"] for run in kcnn.Trainings(tmp_path / "runs").list()] == ["own"]
