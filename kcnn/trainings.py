"""Trainings as processes of their own: started, watched, stopped and deleted by the files of their run folders alone.

What starts a training here may end, and another may watch it. Nothing of this loads TensorFlow.
"""

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from kcnn.disk import hold, is_locked, make_folder, write_atomically, writing
from kcnn.errors import UserError
from kcnn.recipe import word_of
from kcnn.resources import RUNS
from kcnn.run_folder import EXTENDED, LIVE_STATES, RunFolder, list_runs, refuse_unfit

NICE = 10  # how much a training yields to the page that starts it, as `nice` counts
STARTING = "starting"
PATIENCE = 20  # seconds that the last process of a run is given to end
TAIL = 64 << 10  # bytes of a log that are read
PARENT = "KCNN_PARENT"  # a training does not end with what started it
_BLANK = {"step": 0, "steps": 0, "eta_seconds": None, "images_per_second": None, "best": None, "best_epoch": None,
          "history": [], "warnings": [], "report": None, "recipe": None}  # fmt: skip


class Trainings:
    """The runs below the folder `runs`, by their names. A name that is none of theirs is a `UserError`."""

    def __init__(self, runs=RUNS):
        self.runs = Path(runs)
        self.notes = self.runs / ".trainings"  # {name}.toml, .log and .lock of each training that was started here

    def list(self):
        """A dict for each run, as `kcnn.list_runs`; those that have not yet made their folder come first.

        Folders that are none of these runs are passed over: links to other places, and names that no run can have.
        """
        known = [run for run in list_runs(self.runs) if self._is_own(run["name"])]
        names = {run["name"] for run in known}
        for run in known:
            run["state"] = self._state(RunFolder(run["path"]))
        asked = [file for file in self.notes.glob("*.toml") if file.stem not in names]
        asked = sorted(asked, key=lambda file: -file.stat().st_mtime)
        return [self._unborn(file.stem) for file in asked] + known

    def watch(self, name):
        """All that can be told of a run now.

        {name, path, state, reason, epoch, epochs, step, steps, eta_seconds, images_per_second, best, best_epoch,
        history: [row], warnings: [text], log: text, report: path or None, recipe: `Recipe` or None, metrics}
        """
        folder = self._folder(name)
        if not folder.recipe_file.is_file():
            return _BLANK | self._unborn(name) | {"log": self._log(name)}
        report = folder.report / "report.md"
        return _BLANK | folder.status() | folder.summary() | {
            "state": self._state(folder), "reason": folder.reason(), "history": folder.history(),
            "warnings": list(dict.fromkeys(event["text"] for event in folder.events("warning"))),
            "log": self._log(name), "report": str(report) if report.is_file() else None, "recipe": folder.recipe(),
        }  # fmt: skip

    def start(self, recipe, name=None):
        """Begin a training of `recipe` in a process of its own; returns its name, numbered if none is given."""
        refuse_unfit(name)
        name = name or self._free_name(f"{recipe.model.architecture}-{word_of(recipe.data.source)}")
        if (self.runs / name).exists() or is_locked(self._lock(name)):
            raise UserError(f"run {name!r} exists already in {self.runs}; choose another name")
        recipe = recipe.override({"runtime.runs": str(self.runs)})
        make_folder(self.notes)
        with suppress(FileNotFoundError):
            self._log_file(name).unlink()
        write_atomically(self._recipe_file(name), recipe.to_toml())
        self._launch(name, "fit", self._recipe_file(name), "--name", name)
        return name

    def resume(self, name):
        """Go on with a stopped or failed run."""
        self._go_on(name, "resume")

    def extend(self, name, epochs):
        """Train a finished run for `epochs` more."""
        self._go_on(name, "extend", "--epochs", epochs)

    def stop(self, name):
        """Ask a run to stop: it finishes its step, saves a checkpoint and writes a report of what it has learned."""
        folder = self._folder(name)
        if self._state(folder) not in (*LIVE_STATES, STARTING):
            raise UserError(f"run {name} is {folder.state()}: there is nothing to stop")
        if not folder.path.is_dir():
            raise UserError(f"run {name} is still starting; stop it when it has begun")
        folder.ask_to_stop()

    def delete(self, name):
        """Remove a run that is not being trained, with all that is in its folder."""
        folder = self._folder(name)
        if self._state(folder) in (*LIVE_STATES, STARTING):
            raise UserError(f"run {name} is being trained; stop it first")
        with writing(folder.path):
            if folder.path.is_dir():
                shutil.rmtree(folder.path)
            for file in (self._recipe_file(name), self._log_file(name), self._lock(name)):
                file.unlink(missing_ok=True)

    # ---- parts -------------------------------------------------------------------------------------------------

    def _folder(self, name):
        """The folder of the run called `name`, directly below `runs` and no link to another place."""
        refuse_unfit(name)
        path = self.runs / (name or "")
        known = (path / "recipe.toml").is_file() or self._recipe_file(name).is_file()
        if not name or path.is_symlink() or not known:
            raise UserError(f"no run {name!r} in {self.runs}")
        return RunFolder(path)

    def _is_own(self, name):
        with suppress(UserError):
            return bool(self._folder(name))
        return False

    def _recipe_file(self, name):
        return self.notes / f"{name}.toml"

    def _lock(self, name):
        return self.notes / f"{name}.lock"

    def _log_file(self, name):
        return self.notes / f"{name}.log"

    def _state(self, folder):
        """The state of a run; "starting" where a process was begun for it that does not train yet."""
        file, status = self._lock(folder.name), folder.status()
        if not is_locked(file):
            return folder.state()
        silent = file.stat().st_mtime > status.get("time", 0)
        extended = (status.get("state"), status.get("reason")) == EXTENDED
        return STARTING if silent or extended else folder.state()

    def _unborn(self, name):
        """The summary of a training whose run folder is not there: it is starting, or was refused."""
        starting = is_locked(self._lock(name))
        said = self._log(name).strip().splitlines()
        reason = None if starting else (said[-1].removeprefix("kcnn: ") if said else "it ended without a word")
        state = STARTING if starting else "failed"
        path = str(self.runs / name)
        return {"name": name, "path": path, "state": state, "epoch": 0, "epochs": 0, "metrics": {}, "reason": reason}

    def _log(self, name):
        """The last lines of what a training said."""
        file = self._log_file(name)
        if not file.is_file():
            return ""
        with open(file, "rb") as opened:
            opened.seek(max(0, file.stat().st_size - TAIL))
            return opened.read(TAIL).decode("utf-8", "replace")

    def _free_name(self, stem):
        taken = {run["name"] for run in self.list()}
        return next(name for n in range(1, len(taken) + 2) if (name := f"{stem}-{n}") not in taken)

    def _go_on(self, name, verb, *words):
        folder = self._folder(name)
        if self._state(folder) in (*LIVE_STATES, STARTING):
            raise UserError(f"run {name} is being trained already")
        self._launch(name, verb, folder.path, *words)

    def _launch(self, name, *words):
        """Start `kcnn words…` apart from this process; a lock tells for how long it lives, however it ends."""
        make_folder(self.notes)
        command = [sys.executable, "-m", "kcnn", *map(str, words)]
        environment = {key: value for key, value in os.environ.items() if key != PARENT}
        with self._held(name) as lock, writing(self._log_file(name)), open(self._log_file(name), "ab") as said:
            os.utime(lock)
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment, pass_fds=[lock],
                start_new_session=True,
            )  # fmt: skip
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, child.pid, min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICE))

    @contextmanager
    def _held(self, name):
        """The descriptor of the lock of `name`; a process that has done its work is given a moment to end."""
        end = time.monotonic() + PATIENCE
        while True:
            with hold(self._lock(name)) as lock:
                if lock is not None:
                    yield lock
                    return
            if time.monotonic() > end:
                raise UserError(f"the last process of run {name} has not ended yet; try again in a moment")
            time.sleep(0.1)
