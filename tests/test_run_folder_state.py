"""The state of a run that is asked for while its process begins, works and ends: is it right at every moment?"""

import fcntl
import time
from threading import Timer

import kcnn
from kcnn import disk, run_folder
from kcnn.recipe import Recipe
from kcnn.run_folder import RunFolder


def test_a_run_that_ends_while_its_state_is_asked_has_not_failed(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "a")
    folder.path.mkdir()
    folder.set_status(state="training")
    assert folder.state() == "failed" and "without a word" in folder.reason()

    def ends_now(path):
        folder.set_status(state="finished")
        return False

    monkeypatch.setattr(run_folder, "is_locked", ends_now)
    folder.set_status(state="training")
    assert (folder.state(), folder.reason()) == ("finished", None)


def test_a_look_at_a_lock_does_not_keep_it_from_who_wants_it(tmp_path):
    file = tmp_path / "lock"
    file.touch()
    with open(file) as looks:
        fcntl.flock(looks, fcntl.LOCK_SH)
        Timer(0.01, lambda: fcntl.flock(looks, fcntl.LOCK_UN)).start()
        with disk.lock(file) as got:
            assert got and disk.is_locked(file)
    assert not disk.is_locked(file)


def test_a_training_that_does_not_hold_its_run_yet_has_not_failed(tmp_path):
    folder, trainings = RunFolder.create(tmp_path, "a"), kcnn.Trainings(tmp_path)
    folder.write_recipe(Recipe())
    trainings.notes.mkdir()
    with disk.lock(trainings.notes / "a.lock"):
        time.sleep(0.01)
        folder.set_status(state="preparing", reason="a stop before")
        assert (trainings.watch("a")["state"], trainings.watch("a")["reason"]) == ("preparing", None)
    assert trainings.watch("a")["state"] == "failed"


def test_a_figure_that_comes_later_has_a_column(tmp_path):
    folder = RunFolder.create(tmp_path, "run", "run")
    folder.write_history([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "val_map": 0.5}])
    assert folder.history() == [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "val_map": 0.5}]
