"""How a training ends before its time: signals, the stop file, its parent's death; and who may go on with it."""

import json
import logging
import os
import signal
import time

import pytest
from keras.callbacks import LambdaCallback

import kcnn
from kcnn.recipe import Recipe
from kcnn.run_folder import RunFolder
from kcnn.training import Checkpoints, identity, runtime
from kcnn.training.resuming import refuse_another
from tests.crash.harness import alive, write_data
from tests.test_own_model import OPTIONS as OWN
from tests.test_own_model import blobs, net

PATIENCE_SECONDS = 300


@pytest.fixture
def words(tmp_path):
    """The words of a `kcnn fit` that goes on for long, in the run folder r."""
    write_data(tmp_path / "data.npz")
    settings = {"train.batch_size": 8, "train.epochs": 5000, "runtime.runs": tmp_path, "data.validation": 0}
    settings |= {"model.architecture": "simple_cnn_toy", "runtime.deterministic": "true"}
    return ["fit", "--data", str(tmp_path / "data.npz"), "--name", "r", *settings_words(settings)]


def settings_words(settings):
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def wait_for(truth):
    """Wait until `truth()`; fails if that takes minutes."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not truth():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("how", "status"),
    [
        (["stop"], 0),
        ([signal.SIGTERM], 0),
        ([signal.SIGINT], 0),
        ([signal.SIGINT, signal.SIGINT], 130),
        pytest.param([signal.SIGHUP], 0, marks=pytest.mark.slow),
        pytest.param([signal.SIGTERM, signal.SIGINT], 130, marks=pytest.mark.slow),
    ],
)
def test_a_stop_leaves_a_checkpoint_and_says_how_to_go_on(tmp_path, nursery, words, how, status):
    if signal.SIGHUP in how and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        pytest.skip("a hang-up is ignored here, as under nohup, and stays ignored")
    pausing, folder = tmp_path / "pausing", RunFolder(tmp_path / "r")
    pid = nursery.start("command", words=words, pause=60 if status else 0.1, pausing=str(pausing))
    wait_for(pausing.exists)
    assert folder.is_running()
    for signal_or_file in how:
        if signal_or_file == "stop":
            folder.stop_file.touch()
        else:
            os.kill(pid, signal_or_file)
            time.sleep(0.5)  # signals that come together are one
    assert nursery.wait(pid) == status, nursery.said()
    reason = "KeyboardInterrupt" if status else "stop file" if how == ["stop"] else how[0].name
    assert folder.status()["state"] == "stopped" and folder.status()["reason"] == reason
    assert not folder.stop_file.exists() and not folder.is_running()
    assert Checkpoints(folder.checkpoints).load()[0] == (0 if status else folder.status()["step"])
    assert (f"go on with: kcnn resume {folder.path}" in nursery.said()) == (status == 0)


def test_who_may_go_on_with_a_run(tmp_path, nursery, words):
    folder = RunFolder(tmp_path / "r")
    pid = nursery.start("command", words=words, pause=0.05, pausing=str(tmp_path / "pausing"))
    wait_for(lambda: folder.status().get("epoch", 0) >= 1)
    for go_on in (lambda: kcnn.load_run(folder.path).resume(), lambda: kcnn.load_run(folder.path).evaluate("test")):
        with pytest.raises(kcnn.UserError, match=f"being trained by process {pid}|is training, not finished"):
            go_on()
    with pytest.raises(kcnn.UserError, match="report comes when training has finished"):
        _ = kcnn.load_run(folder.path).report
    os.kill(pid, signal.SIGKILL)
    nursery.wait(pid)
    recipe = folder.recipe_file.read_text()
    folder.recipe_file.write_text(recipe.replace("batch_size = 8", "batch_size = 4").replace("5000", "4"))
    assert nursery.do("command", words=["resume", str(folder.path)]) == 2
    told = (
        "kcnn: resume continues only the same run, and this one was changed: train.batch_size 8 → 4, train.epochs 5000"
    )
    assert told in nursery.said()
    assert folder.status()["state"] == "training", "a refusal changes nothing"


def test_a_field_that_came_after_the_checkpoint_had_its_default():
    now = identity(Recipe()) | {"fingerprint": "f"}
    before = json.loads(json.dumps(now))
    del before["train"]["focal_gamma"], before["augment"]
    refuse_another({"identity": before, "extensions": []}, now, ())
    now["train"]["focal_gamma"] = 2.0
    with pytest.raises(kcnn.UserError, match=r"changed: train.focal_gamma 0.0 → 2.0$"):
        refuse_another({"identity": before, "extensions": []}, now, ())


def test_children_of_a_killed_kcnn_stop_with_a_checkpoint(tmp_path, nursery, words):
    pid = nursery.start("command", words=[*words, "--seeds", "2"])
    folder = RunFolder(tmp_path / "r-seed0")
    wait_for(lambda: folder.status().get("step", 0) >= 2)
    child = folder.status()["pid"]
    assert child != pid, "each seed is trained in a process of its own"
    os.kill(pid, signal.SIGKILL)
    nursery.wait(pid)
    wait_for(lambda: not alive(child))
    assert folder.status()["state"] == "stopped" and folder.status()["reason"] == "SIGTERM"


def test_a_stop_file_left_by_a_killed_process_is_forgotten_and_one_put_early_is_not(tmp_path):
    options = OWN | {"runs": tmp_path, "name": "r", "epochs": 2}
    stop = LambdaCallback(on_train_begin=lambda logs: (tmp_path / "r" / "stop").touch())
    assert kcnn.fit(net(), blobs(), callbacks=[stop], **options).state == "stopped"
    (tmp_path / "r" / "stop").touch()
    assert kcnn.fit(net(), blobs(), resume=True, **options).state == "finished"


def test_it_says_why_bits_may_differ(tmp_path, caplog):
    options = OWN | {"runs": tmp_path, "name": "r", "epochs": 1}
    folder = kcnn.fit(net(), blobs(), **options).path
    caplog.set_level(logging.WARNING)
    kcnn.fit(net(), blobs(), resume=True, **options)
    assert "not bit-identical" not in caplog.text
    before = RunFolder(folder).environment()
    before |= {"cores": 512, "threads": 7, "devices": ["CPU", "GPU"], "python": "3.1", "machine": "abacus"}
    before["packages"] |= {"tensorflow": "2.0", "keras": "3.0", "numpy": "1.0", "kcnn": "0.0"}
    RunFolder(folder).write_json("environment.json", before | {"cpu_seconds": 5})
    kcnn.fit(net(), blobs(), resume=True, **options)
    (line,) = [line for line in caplog.text.splitlines() if "continues, not bit-identical, because" in line]
    for words in ("cores 512 → ", "threads 7 → ", "devices ['CPU', 'GPU'] → ['CPU']", "python 3.1 → ", "machine abacus",
                  "tensorflow 2.0 → ", "keras 3.0 → ", "numpy 1.0 → ", "kcnn 0.0 → "):  # fmt: skip
        assert words in line
    assert len(RunFolder(folder).events("resumed")[-1]["changed"]) == 9
    kept = RunFolder(folder).environment()
    assert runtime.environment_differences(kept) == [] and kept["cpu_seconds"] == 5
    RunFolder(folder).write_json("environment.json", {})
    kcnn.fit(net(), blobs(), resume=True, **options)
    assert "because environment.json is missing or damaged" in caplog.text


def test_steps_lost_with_a_kill_are_counted(tmp_path, caplog):
    options = OWN | {"runs": tmp_path, "name": "r", "epochs": 1}
    folder = RunFolder(kcnn.fit(net(), blobs(), **options).path)
    caplog.set_level(logging.INFO)
    kcnn.fit(net(), blobs(), resume=True, **options)
    assert "were lost" not in caplog.text
    folder.set_status(step=folder.status()["step"] + 12)  # as of a run that was killed so long after its checkpoint
    kcnn.fit(net(), blobs(), resume=True, **options)
    assert "12 or more steps after the last checkpoint were lost and are taken again" in caplog.text


def test_lost_checkpoints_are_said(tmp_path):
    options = OWN | {"runs": tmp_path, "name": "r", "epochs": 1}
    folder = RunFolder(kcnn.fit(net(), blobs(), **options).path)
    for file in folder.checkpoints.iterdir():
        file.unlink()
    with pytest.raises(kcnn.UserError, match="run r has lost its checkpoints; start a new run"):
        kcnn.fit(net(), blobs(), resume=True, **options)
    assert folder.status()["state"] == "finished"
