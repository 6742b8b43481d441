"""Damage to a run's files: each damaged checkpoint is noticed and named, and the other is used."""

import logging
import os

import numpy as np
import pytest

from kcnn import disk
from kcnn.errors import UserError
from kcnn.run_folder import RunFolder, list_runs
from kcnn.training import Checkpoints


@pytest.fixture
def pair(tmp_path):
    """Checkpoints of steps 1 (slot a) and 2 (slot b), the newest."""
    checkpoints, rng = Checkpoints(tmp_path), np.random.default_rng(0)
    for step in (1, 2):
        arrays = {f"model/{i}": rng.normal(size=(3, 4)).astype(np.float32) for i in range(3)}
        checkpoints.save(step, arrays, {"progress": {"rows": [{"loss": 1e-5 * step, "ä": None}], "best": [-0.1]}})
    return checkpoints


def falls_back(checkpoints, file, caplog):
    """True if `file` is named and the other slot is used."""
    caplog.clear()
    found = checkpoints.load()
    return found[0] == (1 if file.stem == "b" else 2) and str(file) in caplog.text


def flip(file, bit):
    """Flip one bit of a file in place."""
    with open(file, "r+b") as opened:
        opened.seek(bit // 8)
        byte = opened.read(1)[0] ^ 1 << bit % 8
        opened.seek(bit // 8)
        opened.write(bytes([byte]))


def test_every_flipped_bit_is_noticed(pair, rng, caplog):
    caplog.set_level(logging.WARNING)
    files = [pair.folder / name for name in ("b.json", "b.safetensors")]
    for number in range(1000):
        file = files[number % 2]
        bit = int(rng.integers(8 * file.stat().st_size))
        flip(file, bit)
        assert falls_back(pair, file, caplog), f"bit {bit} of {file.name}"
        flip(file, bit)
    caplog.clear()
    assert pair.load()[0] == 2 and not caplog.text


def test_every_truncation_is_noticed(pair, caplog):
    caplog.set_level(logging.WARNING)
    for file in (pair.folder / "b.json", pair.folder / "b.safetensors"):
        whole = file.read_bytes()
        for length in np.linspace(0, len(whole) - 1, 32).astype(int):
            file.write_bytes(whole[:length])
            assert falls_back(pair, file, caplog), f"{file.name} cut to {length}"
        file.write_bytes(whole + b"\n")
        assert falls_back(pair, file, caplog)
        file.write_bytes(whole)


@pytest.mark.parametrize("name", ["a.json", "a.safetensors", "b.json", "b.safetensors"])
def test_a_missing_file_is_named(pair, name, caplog):
    (pair.folder / name).unlink()
    assert falls_back(pair, pair.folder / name, caplog) and "No such file" in caplog.text
    pair.save(3, {"model/0": np.zeros(2, np.float32)}, {})
    assert Checkpoints(pair.folder).load()[0] == 3, "the damaged slot is the next to be written"


@pytest.mark.parametrize(
    "names", [("a.json", "b.json"), ("a.safetensors", "b.json"), ("a.safetensors", "b.safetensors")]
)
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_two_damaged_checkpoints_are_one_clear_line(pair, names, damage):
    for name in names:
        (pair.folder / name).write_bytes(b"{") if damage == "cut" else (pair.folder / name).unlink()
    with pytest.raises(UserError, match="every checkpoint in .* is damaged .*start the run anew") as error:
        pair.load()
    assert all(name in str(error.value) for name in names) and "\n" not in str(error.value)


def test_half_of_a_first_checkpoint_is_none_at_all(pair):
    for name in ("a.json", "b.json", "b.safetensors"):
        (pair.folder / name).unlink()
    assert Checkpoints(pair.folder).load() is None and not pair.exist()


@pytest.fixture
def folder(tmp_path):
    """A run folder with a recipe."""
    from kcnn.recipe import Recipe

    made = RunFolder.create(tmp_path, "r")
    made.write_recipe(Recipe())
    return made


def test_damaged_small_files_do_not_stop_a_training(folder, caplog):
    for name in ("status.json", "environment.json"):
        (folder.path / name).write_text('{"state": "trai')
    assert folder.status() == {} and folder.environment() == {} and "status.json is no intact JSON" in caplog.text
    assert list_runs(folder.path.parent)[0]["state"] == "failed"
    folder.set_status(state="training")
    assert folder.status()["state"] == "training"


def test_half_a_line_of_the_log_loses_only_itself(folder):
    folder.log("scored", split="test")
    with open(folder.path / "events.jsonl", "a") as file:
        file.write('{"event": "scored", "spl')
    folder.log("scored", split="val")
    assert [event["split"] for event in folder.events("scored")] == ["test", "val"]


def test_what_a_killed_process_left_is_swept_and_nothing_else(folder):
    left = [folder.path / ".best.safetensors.4711", folder.checkpoints / ".a.safetensors.4711"]
    kept = [folder.path / ".hidden", folder.path / ".own.notes", folder.path / "b.1"]
    for file in left + kept:
        file.write_text("x")
    with folder.held():
        assert not any(file.exists() for file in left) and all(file.exists() for file in kept)


def test_a_run_is_trained_once_and_a_process_id_used_again_is_no_hindrance(folder):
    folder.set_status(state="training")
    assert not folder.is_running(), "this process is alive, but trains nothing"
    with folder.held():
        assert folder.is_running() and list_runs(folder.path.parent)[0]["state"] == "training"
        again = RunFolder(folder.path)
        with pytest.raises(UserError, match=f"being trained by process {os.getpid()}"), again.held():
            pass
    assert not folder.is_running()
    with folder.held():
        pass


def test_a_write_that_fails_leaves_the_old_file_and_says_why(tmp_path):
    file = tmp_path / "x.json"
    disk.write_atomically(file, "old")
    with pytest.raises(
        disk.WriteError, match=r"cannot write .*gone/x.json: No such file or directory; bring its folder"
    ):
        disk.write_atomically(tmp_path / "gone" / "x.json", "new")
    os.symlink("/dev/full", tmp_path / "full")
    with pytest.raises(disk.WriteError, match="cannot write .*/full: No space left on device; free space"):
        disk.append_line(tmp_path / "full", "a line")
    assert file.read_text() == "old" and sorted(p.name for p in tmp_path.iterdir()) == ["full", "x.json"]
