"""Kill, resume, compare: one training, whole once and then killed at a drawn instant again and again."""

import os
import random
import signal
import time
from pathlib import Path

import numpy as np

from kcnn.run_folder import RunFolder
from tests.crash.jobs import steps_begun

TIMED = ("seconds", "images_per_second", "data_wait")
FAULTS = ("write", "fsync", "replace", "replaced", "epoch end", "report")
FAULT_EVERY = 4  # one kill in so many is at a fault point
OPTIONS = {
    "model.architecture": "simple_cnn_toy", "model.dropout": 0.2, "batch_size": 8, "epochs": 2, "validation": 0.2,
    "ema": 0.9, "mixup": 0.2, "flip_horizontal": 0.5, "deterministic": True, "checkpoint_minutes": 1e-9,
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
        folder = RunFolder(self.folder / "runs" / f"killed-{number}")
        where = self._fault(number // FAULT_EVERY) if number % FAULT_EVERY == 0 else "instant"
        while True:
            status = self._kill_at_fault(folder, where) if where != "instant" else self._kill_at_instant(folder)
            if status == -signal.SIGKILL:
                break
            if status:
                raise RuntimeError(self.nursery.said())
            self._forget(folder)  # it was faster than the killer
        step = max((m["step"] for m in map(read_json, folder.checkpoints.glob("*.json"))), default=-1)
        begun = steps_begun(self.progress)
        status = self.nursery.do("resume", path=str(folder.path))
        differs = [f"resume ended with {status}"] if status else differences(self.state, final_state(folder))
        if not differs:
            self._forget(folder)
        return {"where": where, "step": begun, "checkpoint": step, "differs": differs}

    def _fault(self, number):
        return FAULTS[number % len(FAULTS)]

    def _start(self, folder, **more):
        self.progress.unlink(missing_ok=True)
        return self.nursery.start("train", options=self.options, name=folder.name, progress=str(self.progress), **more)

    def _kill_at_fault(self, folder, where):
        if where == "epoch end":
            return self.nursery.wait(self._start(folder, kill_at_epoch=self.random.randint(1, OPTIONS["epochs"])))
        match, kinds = ("*/report/*", None) if where == "report" else ("*", [where])
        passed = [kind for kind, path in self.points if (kinds is None or kind in kinds)]
        if where == "report":
            passed = [kind for kind, path in self.points if "/report/" in path]
        faults = {"at": self.random.randrange(len(passed)), "match": match, "from_step": True}
        return self.nursery.wait(self._start(folder, faults=faults | ({"kinds": kinds} if kinds else {})))

    def _kill_at_instant(self, folder):
        """SIGKILL at a uniform instant of a uniformly drawn step, whatever it is doing then."""
        step = self.random.randrange(len(self.began) - 1)
        offset = self.random.random() * (self.began[step + 1] - self.began[step])
        pid = self._start(folder)
        while steps_begun(self.progress) <= step and alive(pid):
            time.sleep(0.002)
        time.sleep(offset)
        os.kill(pid, signal.SIGKILL)
        return self.nursery.wait(pid)

    def _forget(self, folder):
        import shutil

        shutil.rmtree(folder.path)


def alive(pid):
    """False once the child has ended, though nobody has waited for it yet."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def read_json(path):
    """The content of a JSON file, {"step": -1} of a damaged one."""
    import json

    try:
        return json.loads(Path(path).read_text("utf-8"))
    except ValueError:
        return {"step": -1}


def final_state(folder):
    """All that a training ends with: tensors, progress, weights and history, without what tells the time."""
    from safetensors.numpy import load_file

    manifests = [read_json(path) | {"slot": path.stem} for path in folder.checkpoints.glob("*.json")]
    newest = max(manifests, key=lambda m: m["step"])
    state = {
        f"tensor {k}": v.tobytes() for k, v in load_file(folder.checkpoints / f"{newest['slot']}.safetensors").items()
    }
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
