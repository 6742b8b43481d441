"""A disk that refuses, at each operation: a whole checkpoint stays, and a line names the file and the way out."""

import errno
import re
import signal
from contextlib import nullcontext

import numpy as np
import pytest

import kcnn
from kcnn.disk import REMEDIES, WriteError, write_atomically
from kcnn.run_folder import RunFolder
from kcnn.training import Checkpoints
from tests.crash.faults import Faults
from tests.crash.harness import OPTIONS, final_state, write_data
from tests.test_own_model import OPTIONS as OWN
from tests.test_own_model import blobs, net

REFUSALS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EDQUOT, errno.EROFS)
POINTS = 12  # of one checkpoint: open, write, fsync, replace, replaced and the folder's fsync, for each of two files


def saved(folder, *steps):
    """Checkpoints in `folder` after saving `steps`."""
    checkpoints = Checkpoints(folder)
    for step in steps:
        checkpoints.save(step, {"x": np.full(50, step, np.float32)}, {"step": step})
    return checkpoints


def test_a_checkpoint_has_the_fault_points_that_are_tested(tmp_path):
    with Faults().installed() as faults:
        saved(tmp_path, 1)
    assert len(faults.seen) == POINTS and {kind for kind, _ in faults.seen} == set(Faults().kinds)


@pytest.mark.parametrize("error", REFUSALS)
@pytest.mark.parametrize("before", [(1,), (1, 2)])
def test_a_refusal_at_any_point_leaves_a_whole_checkpoint(tmp_path, error, before):
    for at in range(POINTS):
        folder = tmp_path / str(at)
        folder.mkdir()
        checkpoints = saved(folder, *before)
        with (
            Faults(at, error).installed(),
            pytest.raises(WriteError, match=f"cannot write {folder}/.*{REMEDIES[error]}"),
        ):
            checkpoints.save(3, {"x": np.full(50, 3, np.float32)}, {"step": 3})
        step, arrays, state = Checkpoints(folder).load()
        assert step in (before[-1], 3) and state == {"step": step} and set(arrays["x"]) == {step}
        assert not list(folder.glob(".*")), "nothing half-written is left on a full disk"
        saved(folder, 4)
        assert Checkpoints(folder).load()[0] == 4


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_file_system_that_cannot_sync_folders_will_do_and_a_broken_one_will_not(tmp_path, error):
    for match, refused in ((str(tmp_path), error == errno.EIO), ("*/.a.*", True)):
        strikes = Faults(0, error, kinds=["fsync"], match=match).installed()
        with strikes, pytest.raises(WriteError) if refused else nullcontext():
            write_atomically(tmp_path / "a", b"content")
        assert (tmp_path / "a").read_bytes() == b"content"


@pytest.mark.parametrize("before", [(1,), (1, 2)])
def test_a_kill_at_any_point_leaves_a_whole_checkpoint(tmp_path, nursery, before):
    for at in range(POINTS):
        folder = tmp_path / str(at)
        folder.mkdir()
        saved(folder, *before)
        assert nursery.do("save_checkpoint", folder=str(folder), step=3, faults={"at": at}) == -signal.SIGKILL
        step, arrays, state = Checkpoints(folder).load()
        assert step in (before[-1], 3) and state == {"step": step} and set(arrays["x"]) == {step}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training of a user's own model that nothing disturbed."""
    return kcnn.fit(net(), blobs(), blobs(), runs=tmp_path_factory.mktemp("runs"), name="whole", epochs=2, **OWN)


@pytest.mark.parametrize(
    ("file", "error"),
    [
        ("a.safetensors", errno.ENOSPC),
        ("b.json", errno.EIO),
        ("status.json", errno.EDQUOT),
        ("history.csv", errno.EROFS),
        ("best.safetensors", errno.EACCES),
        ("events.jsonl", errno.ENOSPC),
    ],
)
def test_a_disk_that_stays_full_ends_a_training_in_one_line_and_it_goes_on_later(tmp_path, whole, file, error):
    options = {"runs": tmp_path, "name": "full", "epochs": 2} | OWN
    faults = Faults(1 if file == "status.json" else 0, error, match=f"*/{file}", lasting=True)
    with faults.installed(), pytest.raises(kcnn.UserError) as refused:
        kcnn.fit(net(), blobs(), blobs(), **options)
    words = f"cannot write {tmp_path}/full/.*{file}: .*; {REMEDIES[error]}, "
    words += "then call kcnn.fit again with name='full' and resume=True"
    assert re.fullmatch(words, str(refused.value))
    assert not RunFolder(tmp_path / "full").is_running()
    rest = kcnn.fit(net(), blobs(), blobs(), resume=True, **options)
    assert rest.state == "finished" and [row["loss"] for row in rest.history] == [row["loss"] for row in whole.history]
    for a, b in zip(whole.model.weights, rest.model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_tensorboard_on_a_full_disk_is_such_a_line_too(tmp_path, nursery):
    assert nursery.do("write_scalars", folder=str(tmp_path / "tensorboard"), limit=50_000) == 1
    assert f"cannot write {tmp_path}/tensorboard: File too large; raise the limit on file sizes" in nursery.said()


def test_a_report_that_cannot_be_written_comes_after_a_resume(tmp_path, nursery):
    write_data(tmp_path / "data.npz")
    options = OPTIONS | {"runs": str(tmp_path), "data.source": str(tmp_path / "data.npz"), "epochs": 1}
    fails = {"at": 0, "error": errno.ENOSPC, "match": "*/report/*.png", "lasting": True}
    assert nursery.do("train", options=options, name="r", faults=fails) == 1
    folder = RunFolder(tmp_path / "r")
    assert "UserError: cannot write" in nursery.said() and f"then `kcnn resume {folder.path}`" in nursery.said()
    assert folder.status()["state"] == "evaluating" and not folder.is_running()
    assert nursery.do("command", words=["resume", str(folder.path)]) == 0
    assert folder.status()["state"] == "finished" and final_state(folder)["report"]["val"]["samples"] == 10
    assert "val: accuracy" in nursery.said()
