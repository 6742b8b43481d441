"""Kill, resume, compare: one training, whole once and then killed at a drawn instant again and again."""

import json
import os
import random
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from kcnn.run_folder import RunFolder, read_json
from tests.crash.jobs import steps_begun

TIMED = ("seconds", "images_per_second", "data_wait")
FAULTS = ("write", "fsync", "replace", "replaced", "epoch end", "report")
FAULT_EVERY = 4  # one kill in so many is at a fault point
OPTIONS = {
    "model.architecture": "simple_cnn_toy", "model.dropout": 0.2, "batch_size": 8, "epochs": 2, "validation": 0.2,
    "ema": 0.9, "mixup": 0.2, "flip_horizontal": 0.5, "rotation": 10.0, "erasing": 0.3, "brightness": 0.2,
    "deterministic": True, "checkpoint_minutes": 1e-9,
}  # fmt: skip


def write_data(path, samples=50, side=8, seed=0):
    """An .npz file of small grey pictures of two kinds."""
    rng = np.random.default_rng(seed)
    y = np.arange(samples) % 2
    x = rng.integers(0, 120, (samples, side, side, 1)) + 80 * y[:, None, None, None]
    np.savez(path, x=x.astype(np.uint8), y=y)


class Harness:
    """Trials in `folder` with the children of a `Nursery`; raises if the whole training itself fails."""

    def __init__(self, folder, nursery, seed=0):
        self.folder, self.nursery, self.random = Path(folder), nursery, random.Random(seed)
        write_data(self.folder / "data.npz")
        self.options = OPTIONS | {"data.source": str(self.folder / "data.npz"), "runs": str(self.folder / "runs")}
        self.progress = self.folder / "progress"
        counting = {"from_step": True}
        if nursery.do("train", options=self.options, name="whole", progress=str(self.progress), faults=counting):
            raise RuntimeError(nursery.said())
        self.whole = RunFolder(self.folder / "runs" / "whole")
        summary = read_json(self.progress.with_suffix(".json"))
        self.began, self.points = summary["began"], summary["points"]
        self.state = final_state(self.whole)

    def trial(self, number):
        """Kill one training, resume it, compare; a dict of where it was struck and what differs, [] if nothing."""
        folder = self.folder / "runs" / f"killed-{number}"
        at_fault = number % FAULT_EVERY == 0
        where = FAULTS[number // FAULT_EVERY % len(FAULTS)] if at_fault else "instant"
        while not self.strike(folder.name, where):
            shutil.rmtree(folder)  # it was faster than the killer
        begun, step = steps_begun(self.progress), newest_step(folder)
        differs = self.finish(folder.name)
        if not differs:
            shutil.rmtree(folder)
        return {"where": where, "step": begun, "checkpoint": step, "differs": differs}

    def strike(self, name, where, at=None):
        """Start or resume the run `name` and kill it; False if it had finished before, though its process still lived.

        `where` is "instant" or one of FAULTS; `at` is the step, operation or epoch, drawn if None.
        """
        kill = self._kill_at_instant if where == "instant" else self._kill_at_fault
        status = kill(name, where, at)
        if status not in (0, -signal.SIGKILL):
            raise RuntimeError(self.nursery.said())
        return RunFolder(self.folder / "runs" / name).status().get("state") != "finished"

    def finish(self, name):
        """Resume the run `name` to its end; what differs from the whole one."""
        status = self.nursery.do("train", options=self.options, name=name)
        folder = RunFolder(self.folder / "runs" / name)
        if status:
            return [f"resume ended with {status}: {self.nursery.said().strip().splitlines()[-1]}"]
        return differences(self.state, final_state(folder))

    def _start(self, name, **more):
        self.progress.unlink(missing_ok=True)
        return self.nursery.start("train", options=self.options, name=name, progress=str(self.progress), **more)

    def _kill_at_fault(self, name, where, at):
        if where == "epoch end":
            return self.nursery.wait(self._start(name, kill_at_epoch=at or self.random.randint(1, OPTIONS["epochs"])))
        faults = {"match": "*/report/*"} if where == "report" else {"kinds": [where]}
        passed = [kind == where or (where == "report" and "/report/" in path) for kind, path in self.points]
        faults["at"] = self.random.randrange(sum(passed)) if at is None else at
        return self.nursery.wait(self._start(name, faults=faults | {"from_step": where != "report"}))

    def _kill_at_instant(self, name, where, at):
        """SIGKILL at a uniform instant of a uniformly drawn step, whatever it is doing then."""
        step = self.random.randrange(len(self.began) - 1) if at is None else at
        offset = self.random.random() * (self.began[step + 1] - self.began[step])
        pid = self._start(name)
        while steps_begun(self.progress) <= step and alive(pid):
            time.sleep(0.002)
        time.sleep(offset)
        os.kill(pid, signal.SIGKILL)
        return self.nursery.wait(pid)


def alive(pid):
    """False once a process has ended, though nobody has waited for it yet."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def manifests(folder):
    """The readable manifests below a checkpoint folder: [(step, slot, content)], the newest last."""
    found = []
    for path in Path(folder).glob("*.json"):
        with suppress(ValueError):
            content = json.loads(path.read_text("utf-8"))
            found.append((content["step"], path.stem, content))
    return sorted(found, key=lambda row: row[0])


def newest_step(run):
    """The step of a run's newest checkpoint, -1 if it has none."""
    return max((step for step, *_ in manifests(Path(run) / "checkpoints")), default=-1)


def final_state(folder):
    """All that a training ends with: tensors, progress, weights and history, without what tells the time."""
    _, slot, newest = manifests(folder.checkpoints)[-1]
    tensors = load_file(folder.checkpoints / f"{slot}.safetensors")
    state = {f"tensor {name}": tensor.tobytes() for name, tensor in tensors.items()}
    progress = newest["state"]["progress"]
    state |= {f"progress {key}": value for key, value in progress.items() if key != "rows"}
    state["progress rows"] = timeless(progress["rows"])
    state |= {path.name: path.read_bytes() for path in (folder.best, folder.last)}
    state["history"] = timeless(folder.history())
    state["report"] = read_json(folder.report / "metrics.json")["splits"]
    return state


def timeless(rows):
    """Rows of a history without the columns that tell the time."""
    return [{key: value for key, value in row.items() if key not in TIMED} for row in rows]


def differences(one, other):
    """Names of what differs between two final states."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
