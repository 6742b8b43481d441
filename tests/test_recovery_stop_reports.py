"""A training that the file `stop` ends has a report of its best weights so far, and goes on as if it had none."""

import errno
import signal

import numpy as np
import pytest
from keras.callbacks import LambdaCallback
from safetensors.numpy import load_file

import kcnn
from kcnn.run_folder import RunFolder
from kcnn.training import Checkpoints, interrupts
from tests.crash.faults import Faults
from tests.crash.harness import timeless, write_data
from tests.test_recovery_stops import settings_words, wait_for

SETTINGS = {"model.architecture": "simple_cnn_toy", "batch_size": 8, "epochs": 3, "model.dropout": 0.2, "ema": 0.9}


@pytest.fixture(autouse=True)
def _looks_at_every_step(monkeypatch):
    monkeypatch.setattr(interrupts, "POLL_SECONDS", -1)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Pictures of two kinds, as the arrays of three splits."""
    path = tmp_path_factory.mktemp("data") / "data.npz"
    write_data(path, samples=80)
    with np.load(path) as file:
        x, y = file["x"], file["y"]
    return {"train": (x[:48], y[:48]), "val": (x[48:64], y[48:64]), "test": (x[64:], y[64:])}


def train(source, runs, name, ask=None, **settings):
    """The `Run` of a training in which `ask(folder)` is called in the middle of its second epoch."""
    steps = []

    def count(batch, logs=None):
        steps.append(batch)
        if ask and len(steps) == 8:  # of 6 in an epoch
            ask(RunFolder(runs / name))

    callbacks = [LambdaCallback(on_train_batch_end=count)]
    return kcnn.build_and_fit(kcnn.Recipe(), source, name=name, callbacks=callbacks, runs=str(runs),
                              **SETTINGS | settings)  # fmt: skip


def stop(folder):
    folder.stop_file.touch()


@pytest.fixture(scope="module")
def runs(source, tmp_path_factory):
    """A folder with the runs `whole` and `stopped`."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interrupts, "POLL_SECONDS", -1)
        train(source, folder, "whole")
        train(source, folder, "stopped", stop)
    return folder


def test_a_stopped_run_answers_by_its_report_and_keeps_the_test_split_for_its_end(source, runs):
    run = kcnn.load_run(runs / "stopped", source)
    assert run.status["state"] == "stopped" and run.status["reason"] == "stop file" and not run.folder.is_running()
    assert run.status["step"] == Checkpoints(run.folder.checkpoints).load()[0] == 8 and run.status["epoch"] == 1
    assert list(run.splits) == ["val"] and run.metrics["samples"] == 16
    assert "Training was stopped at epoch 1 of 3 and can be resumed" in run.report.read_text()
    assert not run.folder.events("finished") and not run.folder.events("scored")
    (told,) = run.folder.events("reported")
    listed = {row["name"]: row for row in kcnn.list_runs(runs)}["stopped"]
    assert listed["metrics"] == told["scores"] == {"val": run.metrics["accuracy"]} and listed["state"] == "stopped"
    assert run.evaluate("val")["accuracy"] == run.metrics["accuracy"]
    assert run.export("keras").exists()
    assert len(kcnn.compare(run, runs / "whole")["differences"]["val"]) == 1
    with pytest.raises(kcnn.UserError, match="'test' is for the end: run stopped is stopped"):
        run.evaluate("test")
    with pytest.raises(kcnn.UserError, match="run stopped is stopped, not finished: resume it first"):
        run.extend(1)


def test_resumed_it_is_as_one_that_was_never_stopped(source, runs, tmp_path):
    train(source, tmp_path, "r", stop)
    run, whole = kcnn.load_run(tmp_path / "r", source).resume(), kcnn.load_run(runs / "whole")
    assert run.status["state"] == "finished" and list(run.splits) == list(whole.splits) == ["val", "test"]
    assert "was stopped" not in run.report.read_text() and len(run.folder.events("scored")) == 1
    assert kcnn.list_runs(tmp_path)[0]["metrics"] == run.folder.events("finished")[-1]["scores"]
    for a, b in zip(timeless(run.history), timeless(whole.history), strict=True):
        assert a == pytest.approx(b, rel=1e-3)
    ours, theirs = (load_file(made.folder.last) for made in (run, whole))
    for name, tensor in ours.items():
        np.testing.assert_allclose(tensor, theirs[name], atol=1e-3, err_msg=name)


def test_without_val_the_training_split_is_scored(source, tmp_path):
    parts = {name: source[name] for name in ("train", "test")}
    run = train(parts, tmp_path, "r", stop, validation=0)
    assert list(run.splits) == ["train"] and not run.folder.events("scored")


def test_there_is_no_report_before_an_epoch_nor_after_a_signal(source, tmp_path):
    for name, ask, more in (
        ("early", stop, {"batch_size": 4}),  # of which 8 are not yet an epoch
        ("signal", lambda folder: signal.raise_signal(signal.SIGTERM), {}),
    ):
        run = train(source, tmp_path, name, ask, **more)
        assert run.status["state"] == "stopped" and not run.folder.events("reported")
        for answer in (lambda run=run: run.metrics, lambda run=run: run.export("keras")):
            with pytest.raises(kcnn.UserError, match="comes when training has finished, or was stopped after an epoch"):
                answer()
    with pytest.raises(kcnn.UserError, match="nothing to compare before it has a report; go on with: kcnn resume"):
        kcnn.compare(tmp_path / "early", tmp_path / "signal")


def test_a_disk_that_is_full_in_the_report_of_a_stop_leaves_a_run_that_goes_on(source, tmp_path):
    faults = Faults(0, errno.ENOSPC, match="*/report/*", lasting=True)
    with faults.installed(), pytest.raises(kcnn.UserError, match=r"free space, then `kcnn resume .*/r`"):
        train(source, tmp_path, "r", stop)
    run = kcnn.load_run(tmp_path / "r", source)
    assert not run.folder.is_running() and Checkpoints(run.folder.checkpoints).load()[0] == 8
    assert run.resume().status["state"] == "finished" and list(run.splits) == ["val", "test"]


def test_a_kill_in_the_report_of_a_stop_leaves_a_run_that_goes_on(tmp_path, nursery):
    write_data(tmp_path / "data.npz")
    settings = {"train.batch_size": 8, "train.epochs": 3, "runtime.runs": tmp_path, "data.validation": 0.2}
    settings |= {"model.architecture": "simple_cnn_toy", "runtime.deterministic": "true"}
    words = ["fit", "--data", str(tmp_path / "data.npz"), "--name", "r", *settings_words(settings)]
    folder, faults = RunFolder(tmp_path / "r"), {"at": 1, "match": "*/report/*"}
    pid = nursery.start("command", words=words, faults=faults, pause=1, pausing=str(tmp_path / "pausing"))
    wait_for(lambda: folder.status().get("epoch", 0) >= 1)
    folder.stop_file.touch()
    assert nursery.wait(pid) == -signal.SIGKILL, nursery.said()
    assert folder.status()["state"] == "evaluating" and folder.state() == "failed"
    assert not (folder.report / "metrics.json").exists()
    assert nursery.do("command", words=["resume", str(folder.path)]) == 0
    assert folder.status()["state"] == "finished" and list(kcnn.load_run(folder.path).splits) == ["val"]
