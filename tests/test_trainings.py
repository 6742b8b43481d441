"""Trainings as processes of their own: are they started, watched, stopped, resumed and deleted by files alone?"""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import kcnn
from kcnn.recipe import Recipe, read

QUICK = {"data.limit": 200, "data.test": 0.1, "model.architecture": "resnet_toy", "train.batch_size": 50}


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
    return not seen["live"]


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
    assert trainings.list()[0]["live"]
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


def test_a_refused_resume_says_why(tmp_path):
    """The data of a run is gone: what the process said last is the reason."""
    trainings = kcnn.Trainings(tmp_path)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "recipe.toml").write_text(recipe(data__source=str(tmp_path / "gone")).to_toml())
    (tmp_path / "old" / "status.json").write_text(json.dumps({"state": "stopped", "reason": "stop file", "time": 1}))
    trainings.resume("old")
    assert trainings.watch("old")["state"] == "starting"
    with pytest.raises(kcnn.UserError, match="still starting"):
        trainings.stop("old")
    seen = until(trainings, "old", ended)
    assert seen["state"] == "failed" and seen["reason"]
    assert seen["reason"] == seen["log"].strip().splitlines()[-1].removeprefix("kcnn: ")


def test_a_damaged_run_has_failed_for_that_and_can_be_deleted(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "recipe.toml").write_text("[train]\nno_such_key = 1\n")
    trainings = kcnn.Trainings(tmp_path)
    seen = trainings.watch("old")
    assert seen["state"] == "failed" and "no_such_key" in seen["reason"] and seen["recipe"] is None
    trainings.delete("old")
    assert trainings.list() == []


def test_two_starts_at_once_are_two_runs(tmp_path, monkeypatch):
    launched = {}
    monkeypatch.setattr(
        kcnn.Trainings, "_launch", lambda self, name, lock, *words: launched.update({name: time.sleep(0.3)})
    )
    trainings = kcnn.Trainings(tmp_path)
    with ThreadPoolExecutor(2) as both:
        names = [both.submit(trainings.start, recipe(runtime__seed=seed)) for seed in (1, 2)]
    names = [one.result() for one in names]
    assert sorted(names) == ["resnet_toy-digits-1", "resnet_toy-digits-2"] and launched.keys() == set(names)
    kept = [read(tmp_path / ".trainings" / f"{name}.toml").runtime.seed for name in names]
    assert kept == [1, 2]


def test_a_name_made_from_the_recipe_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(kcnn.Trainings, "_launch", lambda *_: None)
    odd = recipe(model__architecture="../../../escaped", data__source="x" * 300)
    name = kcnn.Trainings(tmp_path / "runs").start(odd)
    assert "/" not in name and len(name) < 200
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


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
