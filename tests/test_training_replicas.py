"""Several replicas of a network, on devices or in processes, learn what one learns; each case is a process of its own.

What these processes do is in tests/replicas.py.
"""

import inspect
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import kcnn
from kcnn import cli, data, forecast, workers
from kcnn.recipe import Recipe
from kcnn.run_folder import RunFolder
from kcnn.spectator import Spectator
from kcnn.training import Team, team_of
from kcnn.training.slurm import cluster_of_slurm, expand_hosts
from kcnn.training.team import resume_words
from kcnn.training.weights import read_tensors
from tests.test_cli import kcnn as command

ROOT = Path(__file__).parents[1]


def child(kind, answer, *wish, index=None, ports=()):
    """A process that trains by `tests.replicas`, alone or as worker number `index` of as many as there are `ports`."""
    cluster = {
        "cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]},
        "task": {"type": "worker", "index": index},
    }
    environment = {k: v for k, v in os.environ.items() if k != "TF_CONFIG"} | {"PYTHONPATH": str(ROOT)}
    environment |= {"TF_CONFIG": json.dumps(cluster)} if ports else {}
    words = [sys.executable, "-m", "tests.replicas", "learn", kind, str(answer), *wish]
    return subprocess.Popen(words, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def learned(folder, kind, *wish):
    """What training in a process, or in two as workers, came to: {name: array}.

    wish: norm, task and, if any, the steps in which all but the last layer rest.
    """
    answer = folder / f"{kind}.npz"
    if kind == "multi_worker":
        with workers.free_ports(2) as ports:
            pass
        children = [child(kind, answer, *wish, index=index, ports=ports) for index in range(2)]
    else:
        children = [child(kind, answer, *wish)]
    said = [each.communicate(timeout=300)[1] for each in children]
    assert not any(each.returncode for each in children), said
    return dict(np.load(answer))


def largest_difference(one, other):
    """(name, largest relative difference) of two trainings' numbers: weights, optimizer, averages, scores.

    Where all numbers of a name are far below 1e-6 they are nothing but rounding, such as the bias before a norm.
    """
    assert one.keys() == other.keys()
    found = {
        name: float(np.max(np.abs(values - other[name])) / max(np.max(np.abs(values)), 1e-6))
        for name, values in one.items()
        if name != "replicas" and values.size
    }
    return max(found.items(), key=lambda pair: pair[1])


CASES = [("sync_batch", "multi_worker", "squares"), ("sync_batch", "mirrored", "squares")]
CASES += [(norm, kind, "squares") for norm in ("group", "layer") for kind in ("mirrored", "multi_worker")]
CASES += [("sync_batch", "multi_worker", "masks")]
CASES[1:] = [pytest.param(*case, marks=pytest.mark.slow) for case in CASES[1:]]
CASES += [("sync_batch", "mirrored", "masks"), ("sync_batch", "mirrored", "retinanet")]
CASES += [pytest.param("sync_batch", "multi_worker", "faster_rcnn", marks=pytest.mark.slow)]
BOXES = ("retinanet", "faster_rcnn")


@pytest.mark.parametrize(("norm", "kind", "task"), CASES)
def test_replicas_learn_what_one_learns(tmp_path, norm, kind, task):
    alone, together = (learned(tmp_path, each, norm, task) for each in ("none", kind))
    assert (alone["replicas"], together["replicas"]) == (1, 2)
    if task in BOXES:
        assert alone["loss"] < 0.7 * alone["first_loss"], "it has learned something"
    else:
        assert alone["val_accuracy" if task == "squares" else "val_pixel_accuracy"] > 0.6, "it has learned something"
    assert alone["clipped"] > (5 if task in BOXES else 10), "steps of it were clipped"
    name, difference = largest_difference(alone, together)
    assert difference < 1e-9, name


@pytest.mark.slow
def test_what_rests_rests_on_all_replicas_and_then_learns_with_the_others(tmp_path):
    alone, together = (learned(tmp_path, kind, "sync_batch", "squares", "20") for kind in ("none", "mirrored"))
    assert (alone["replicas"], together["replicas"]) == (1, 2)
    for each in (alone, together):
        assert not each["rested"][-2:].any() and each["rested"][:-2].all(), "all but the last layer's two weights"
        assert each["val_accuracy"] > 0.6
    name, difference = largest_difference(alone, together)
    assert difference < 1e-9, name


def test_each_replica_drops_other_units_and_the_seeds_stay_those_of_one(tmp_path):
    words = [sys.executable, "-m", "tests.replicas", "drop", str(tmp_path / "drop.npz")]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    seen = np.load(tmp_path / "drop.npz")
    assert set(seen["means"].ravel()) == {0.0, 1.0, 2.0}, "1 where one replica dropped a unit and the other did not"
    assert 0.3 < np.mean(seen["means"] == 1.0) < 0.7 and 0.7 < seen["means"].mean() < 1.3
    assert (seen["seeds"][:, 0] == seen["seeds"][0, 0]).all()
    np.testing.assert_array_equal(seen["seeds"][:, 1], np.arange(20))


# ---- a run of several workers --------------------------------------------------------------------------------------


@pytest.fixture
def together(tmp_path, monkeypatch):
    """function (words, stroke) → status of `kcnn WORDS…` by two workers, one of which is struck; see tests/replicas."""
    recipe = {"data.limit": 203, "data.test": 0.2, "model.architecture": "resnet_toy", "model.dropout": 0.3}
    recipe |= {"train.epochs": 2, "train.batch_size": 32, "train.ema": 0.9}
    recipe |= {"runtime.runs": str(tmp_path), "runtime.deterministic": True}
    (tmp_path / "quick.toml").write_text(Recipe().override(recipe).to_toml())
    monkeypatch.setattr(workers, "PROGRAM", (sys.executable, "-m", "tests.replicas", "command"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(*words, stroke="-1 -1 SIGKILL"):
        monkeypatch.setenv("STRUCK", stroke)
        return workers.run_workers(words, 2)

    return run


def tensors(folder):
    return {file: read_tensors(folder / file) for file in ("best.safetensors", "last.safetensors")} | {
        f"checkpoint {slot}": read_tensors(folder / "checkpoints" / f"{slot}.safetensors") for slot in "ab"
    }


@pytest.mark.slow
def test_a_dead_worker_ends_all_and_they_resume_to_the_same_bits(tmp_path, together):
    quick, began = tmp_path / "quick.toml", time.monotonic()
    with pytest.raises(kcnn.UserError, match="worker 1 was killed by SIGKILL"):
        together("fit", quick, "--name", "struck", stroke="7 1 SIGKILL")
    assert time.monotonic() - began < 120
    status = RunFolder(tmp_path / "struck").status()
    assert status["state"] == "failed" and "worker 1 is gone" in status["reason"] and "kcnn resume" in status["reason"]
    assert together("resume", tmp_path / "struck") == 0 == together("fit", quick, "--name", "whole")
    struck, whole = RunFolder(tmp_path / "struck"), RunFolder(tmp_path / "whole")
    assert struck.status()["state"] == whole.status()["state"] == "finished"
    assert struck.environment()["replicas"] == 2 and struck.events("resumed")[0]["changed"] == []
    for file, values in tensors(whole.path).items():
        for name, value in tensors(struck.path)[file].items():
            np.testing.assert_array_equal(value, values[name], err_msg=f"{file} {name}")
    assert len(list((whole.path / "tensorboard").iterdir())) == 1, "only the chief writes"


@pytest.mark.slow
def test_a_stop_of_one_stops_all_after_the_same_step_and_one_goes_on(tmp_path, together):
    assert together("fit", tmp_path / "quick.toml", "--name", "stopped", stroke="6 1 SIGTERM") == 0
    folder = RunFolder(tmp_path / "stopped")
    status = folder.status()
    assert (status["state"], status["step"]) == ("stopped", 8) and "another worker" in status["reason"]
    run = kcnn.load_run(folder.path).resume()
    assert run.status["state"] == "finished" and len(run.history) == 2
    assert folder.events("resumed")[0]["changed"][-2:] == ["replicas 2 → 1", "workers 2 → 1"]


@pytest.mark.slow
def test_a_frozen_worker_and_a_dead_chief_end_the_others_in_time(tmp_path, together):
    quick, began = tmp_path / "quick.toml", time.monotonic()
    assert together("fit", quick, "--name", "frozen", stroke="7 1 SIGSTOP") == 2
    assert time.monotonic() - began < 120 and "worker 1 is gone" in RunFolder(tmp_path / "frozen").status()["reason"]
    with pytest.raises(kcnn.UserError, match="worker 0 was killed by SIGKILL"):
        together("fit", quick, "--name", "headless", stroke="7 0 SIGKILL")


@pytest.mark.slow
def test_a_worker_that_sees_no_data_says_so_and_the_chief_that_it_is_gone(tmp_path, together, monkeypatch, capfd):
    monkeypatch.setenv("BLIND", "1")
    with pytest.raises(kcnn.UserError, match="^worker 1: there is no folder photos$"):
        together("fit", tmp_path / "quick.toml", "--name", "blind")
    said = capfd.readouterr().err
    assert "worker 1 is gone; start all workers again, once" in said and "Traceback" not in said
    assert not (tmp_path / "blind").exists()


PLAYED = """
import json, os, sys
parts = json.loads(sys.argv[1])
status, words = parts[json.loads(os.environ["TF_CONFIG"])["task"]["index"]]
print("first line", words, sep=chr(10), file=sys.stderr)
sys.exit(status)
"""


@pytest.fixture
def played(monkeypatch):
    """function ((status, last line) of each worker) → what `run_workers` gives of them."""
    monkeypatch.setattr(workers, "PROGRAM", (sys.executable, "-c", PLAYED))
    return lambda *parts: workers.run_workers([json.dumps(parts)], len(parts))


def test_the_reason_of_the_worker_that_failed_is_told_and_not_that_others_lost_it(played, capfd):
    gone = (3, "kcnn: worker 1 is gone")
    with pytest.raises(kcnn.UserError, match=r"^worker 1: no pictures in photos$"):
        played(gone, (2, "kcnn: no pictures in photos"), gone)
    with pytest.raises(kcnn.UserError, match="worker 2 ended with status 1: KeyError: 'a'; `kcnn resume"):
        played(gone, (2, "kcnn: no"), (1, "KeyError: 'a'"))
    capfd.readouterr()
    assert played((2, "kcnn: no pictures in photos"), (2, "kcnn: no pictures in photos")) == 2
    assert capfd.readouterr().err.count("no pictures") == 1, "the chief has said it"
    assert played(gone, gone) == 2 and played((0, ""), (0, "")) == 0


@pytest.mark.parametrize("start", [lambda: workers.run_workers([], 2), lambda: forecast.exchange_seconds([10])])
def test_a_worker_whose_peer_cannot_be_started_is_ended(monkeypatch, start):
    started = []

    def begin(*_):
        if started:
            raise OSError("no more processes")
        started.append(subprocess.Popen(["sleep", "60"], stdout=subprocess.PIPE, text=True))
        return started[0]

    for module in (workers, forecast):
        monkeypatch.setattr(module, "_start", begin)
    with pytest.raises(OSError, match="no more processes"):
        start()
    assert started[0].returncode == -9


def test_an_unfit_name_is_refused_before_anything_is_written(tmp_path, capsys):
    words = ["--data", "builtin:digits", "--set", f"runtime.runs={tmp_path}/runs", "--workers", "2", "--name", "../x"]
    status, _, said = command(capsys, "fit", *words)
    assert status == 2 and "plain folder name" in said and not list(tmp_path.iterdir())


WRITES = r"\b(write_atomically|append_line|writing|unlink|rmtree|mkdir|lock|self\.write_\w+|self\.set_status)\("


@pytest.mark.parametrize("host, more", [("127.0.0.1", " --workers 2"), ("node1", "")])
def test_the_way_on_names_the_workers_of_this_machine(monkeypatch, host, more):
    cluster = {"cluster": {"worker": [f"{host}:1", f"{host}:2"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    assert resume_words("runs/a") == f"kcnn resume runs/a{more}"
    monkeypatch.delenv("TF_CONFIG")
    assert resume_words("runs/a") == "kcnn resume runs/a"


def test_a_spectator_leaves_every_writing_method_to_the_chief():
    methods = {name: inspect.getsource(own) for name, own in vars(RunFolder).items() if inspect.isfunction(own)}
    writing = {name for name, text in methods.items() if re.search(WRITES, text)}
    assert {"set_status", "write_json", "log", "held", "discard"} <= writing <= vars(Spectator).keys()


def test_a_lost_worker_is_a_line_with_a_status_of_its_own(monkeypatch):
    team = Team()
    monkeypatch.setattr(team, "workers", 2)
    words = "worker 1 is gone; .*`kcnn resume runs/a`"
    with pytest.raises(kcnn.UserError, match=words) as error, team.together("runs/a"):
        raise tf.errors.UnavailableError(None, None, "/task:0 says: /job:worker/replica:0/task:1 has closed")
    assert error.value.status == 3

    def lose(*_, **__):
        raise error.value

    monkeypatch.setattr(cli, "app", lose)
    with pytest.raises(SystemExit, match="3"):
        cli.main()


def test_each_local_worker_sees_its_own_gpus(monkeypatch, played):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert workers.shares_of_gpus(2) == [{}, {}]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind] * 5)
    assert [share["CUDA_VISIBLE_DEVICES"] for share in workers.shares_of_gpus(2)] == ["0,1", "2,3"], "as many each"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,GPU-a,5,3,1")
    assert [share["CUDA_VISIBLE_DEVICES"] for share in workers.shares_of_gpus(4)] == ["7", "GPU-a", "5", "3"]
    with pytest.raises(kcnn.UserError, match="--workers 6 must be at most the number of GPUs here, 5"):
        played(*[(0, "")] * 6)
    monkeypatch.setattr(workers, "PROGRAM", (sys.executable, "-c", SEEN))
    assert workers.run_workers([], 2) == 0


SEEN = """
import json, os, sys
index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
sys.exit(os.environ["CUDA_VISIBLE_DEVICES"] != ["7,GPU-a", "5,3"][index])
"""


# ---- doors ---------------------------------------------------------------------------------------------------------


class Strategy:
    """Enough of a strategy for a `Team` of four."""

    num_replicas_in_sync, cluster_resolver = 4, None


def test_what_cannot_be_divided_is_refused(monkeypatch):
    team, recipe = Team(Strategy()), Recipe().override({"train.batch_size": 30})
    with pytest.raises(kcnn.UserError, match=r"batch_size 30 must divide by the 4 replicas.*set 32"):
        team.check(recipe.train)
    with pytest.raises(kcnn.UserError, match="accumulate is for one replica"):
        team.check(recipe.override({"train.batch_size": 32, "train.accumulate": 2}).train)
    with pytest.raises(kcnn.UserError, match="no code for parameter servers"):
        recipe.override({"runtime.strategy": "parameter_server"})
    with pytest.raises(kcnn.UserError, match="there is no other worker"):
        team_of(recipe.override({"runtime.strategy": "multi_worker"}).runtime)
    with pytest.raises(kcnn.UserError, match="mirrored and there is one device"):
        team_of(recipe.override({"runtime.strategy": "mirrored"}).runtime)
    for config, reason in (('{"cluster": {"ps": ["a:1"]}}', "parameter servers"), ("[]", "must be JSON")):
        monkeypatch.setenv("TF_CONFIG", config)
        with pytest.raises(kcnn.UserError, match=reason):
            team_of(recipe.runtime)


@pytest.mark.parametrize("kind", ["none", "mirrored"])
def test_several_workers_that_would_not_train_together_are_refused(monkeypatch, kind):
    runtime = Recipe().override({"runtime.strategy": kind}).runtime
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}')
    with pytest.raises(kcnn.UserError, match=f"runtime.strategy is {kind} and there are 2 workers.*set it to auto"):
        team_of(runtime)
    monkeypatch.setenv("TF_CONFIG", "")
    for name, value in SLURM_STEP.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(kcnn.UserError, match="there are 4 workers"):
        team_of(runtime)


SLURM_STEP = {
    "SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NODELIST": "n[08-09],big", "SLURM_STEP_TASKS_PER_NODE": "1(x2),2",
    "SLURM_PROCID": "2", "SLURM_JOB_ID": "7",
}  # fmt: skip


def test_what_slurm_started_is_one_cluster():
    found = cluster_of_slurm(SLURM_STEP)
    assert found["task"] == {"type": "worker", "index": 2}
    assert found["cluster"]["worker"] == ["n08:20112", "n09:20112", "big:20112", "big:20113"]
    assert cluster_of_slurm({}) is None and cluster_of_slurm({"SLURM_STEP_NUM_TASKS": "1"}) is None


def test_names_of_nodes_are_written_out():
    assert expand_hosts("gpu[01-02]-ib,b") == ["gpu01-ib", "gpu02-ib", "b"]
    assert expand_hosts("r[1-2]n[1-2,09]") == ["r1n1", "r1n2", "r1n09", "r2n1", "r2n2", "r2n09"]
    assert expand_hosts("a,n[7-8]") == ["a", "n7", "n8"] and expand_hosts("") == []


def test_slurm_steps_that_do_not_say_who_is_where_are_refused():
    changes = {"SLURM_STEP_NODELIST": "n[08-09]", "SLURM_STEP_NUM_TASKS": "5", "SLURM_STEP_TASKS_PER_NODE": "x"}
    for change in ({key: value} for key, value in changes.items()):
        with pytest.raises(kcnn.UserError, match=r"SLURM_STEP_NODELIST=n.* must place the \d tasks"):
            cluster_of_slurm(SLURM_STEP | change)
    for order in ("cyclic", "cyclic:block", "plane=2", "arbitrary"):
        with pytest.raises(kcnn.UserError, match="distribution is .*: set it to block"):
            cluster_of_slurm(SLURM_STEP | {"SLURM_DISTRIBUTION": order})
    for fine in ({"SLURM_DISTRIBUTION": "block:cyclic"}, {"SLURM_DISTRIBUTION": ""}):
        assert cluster_of_slurm(SLURM_STEP | fine) == cluster_of_slurm(SLURM_STEP)
    single = {"SLURM_STEP_NUM_TASKS": "3", "SLURM_STEP_TASKS_PER_NODE": "1(x3)", "SLURM_DISTRIBUTION": "cyclic"}
    assert len(cluster_of_slurm(SLURM_STEP | single)["cluster"]["worker"]) == 3, "one a node: all orders are the same"


def test_steps_of_a_job_have_ports_of_their_own():
    steps = [cluster_of_slurm(SLURM_STEP | {"SLURM_STEP_ID": str(step)})["cluster"]["worker"] for step in range(20)]
    assert len({port for workers in steps for port in workers}) == 80


@pytest.mark.parametrize("training", [True, False])
def test_shards_of_a_batch_are_the_batch(training):
    x = np.random.default_rng(0).integers(0, 255, (27, 8, 8, 3), dtype=np.uint8)
    samples = data.load((x, np.arange(27) % 3), Recipe().data, 0).splits["train"]

    def batches(worker, count):
        found = data.batches(samples, (8, 8, 3), 8, training=training, num_classes=3, shard=(worker, count))
        return list(found.take(5).as_numpy_iterator())

    for whole, *parts in zip(batches(0, 1), *(batches(worker, 4) for worker in range(4)), strict=True):
        for key, values in whole.items():
            np.testing.assert_array_equal(values, np.concatenate([part[key] for part in parts]), err_msg=key)
