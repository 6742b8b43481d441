"""Trainings as processes of their own: started, watched, stopped and deleted by the files of their run folders alone.

What starts a training here may end, and another may watch it. Nothing of this loads TensorFlow.
"""

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from kcnn.disk import hold, is_locked, make_folder, write_atomically, writing
from kcnn.errors import UserError
from kcnn.recipe import word_of
from kcnn.resources import RUNS
from kcnn.run_folder import EXTENDED, LIVE_STATES, MOST_NAME, RunFolder, list_runs, refuse_unfit

NICE = 10  # how much a training yields to the page that starts it, as `nice` counts
STARTING = "starting"
PATIENCE = 20  # seconds that the last process of a run is given to end
TAIL = 64 << 10  # bytes of a log that are read
PARENT = "KCNN_PARENT"  # a training does not end with what started it
_BLANK = {"epoch": 0, "epochs": 0, "step": 0, "steps": 0, "eta_seconds": None, "images_per_second": None, "best": None,
          "best_epoch": None, "metrics": {}, "history": [], "warnings": [], "report": None, "recipe": None}  # fmt: skip


class Trainings:
    """The runs below the folder `runs`, by their names. A name that is none of theirs is a `UserError`."""

    def __init__(self, runs=RUNS):
        self.runs = Path(runs)
        self.notes = self.runs / ".trainings"  # {name}.toml, .log and .lock of each training that was started here

    def list(self):
        """A dict for each run, as `kcnn.list_runs`, with `live`; those that have not made their folder come first.

        Folders that are none of these runs are passed over: links to other places, and names that no run can have.
        """
        known = [run for run in list_runs(self.runs) if self._is_own(run["name"])]
        names = {run["name"] for run in known}
        for run in known:
            run["state"] = self._state(RunFolder(run["path"]))[0]
        asked = [file.stem for file in sorted(self.notes.glob("*.toml"), key=_age) if file.stem not in names]
        return [run | {"live": is_live(run["state"])} for run in [*map(self._unborn, asked), *known]]

    def watch(self, name):
        """All that can be told of a run now.

        {name, path, state, live, reason, epoch, epochs, step, steps, eta_seconds, images_per_second, best, best_epoch,
        history: [row], warnings: [text], log: text, report: path or None, recipe: `Recipe` or None, metrics}
        live: a process works on it. A run whose files are damaged has failed, for that reason.
        """
        folder = self._folder(name)
        if not folder.recipe_file.is_file():
            told = self._unborn(name)
        else:
            told = {"name": folder.name, "path": str(folder.path)}
            try:
                state, reason = self._state(folder)  # first, so that the rest is at least as new
                told |= _told(folder) | {"state": state, "reason": reason}
            except UserError as error:
                told |= {"state": "failed", "reason": str(error)}
        return _BLANK | told | {"log": self._log(name), "live": is_live(told["state"])}

    def start(self, recipe, name=None):
        """Begin a training of `recipe` in a process of its own; returns its name, numbered if none is given."""
        refuse_unfit(name)
        make_folder(self.notes)
        stem = f"{word_of(recipe.model.architecture)}-{word_of(recipe.data.source)}"[: MOST_NAME // 2]
        for one in [name] if name else (f"{stem}-{number}" for number in count(1)):
            if (self.runs / one).exists():
                continue
            with hold(self._lock(one)) as lock:
                if lock is not None and not (self.runs / one).exists():
                    with suppress(FileNotFoundError):
                        self._log_file(one).unlink()
                    own = recipe.override({"runtime.runs": str(self.runs)})
                    write_atomically(self._recipe_file(one), own.to_toml())
                    self._launch(one, lock, "fit", self._recipe_file(one), "--name", one)
                    return one
        raise UserError(f"run {name!r} exists already in {self.runs}; choose another name")

    def resume(self, name):
        """Go on with a stopped or failed run."""
        self._go_on(name, "resume")

    def extend(self, name, epochs):
        """Train a finished run for `epochs` more."""
        self._go_on(name, "extend", "--epochs", epochs)

    def stop(self, name):
        """Ask a run to stop: it finishes its step, saves a checkpoint and writes a report of what it has learned."""
        folder = self._folder(name)
        state, _ = self._state(folder) if folder.path.is_dir() else (self._unborn(name)["state"], None)
        if state == STARTING:
            raise UserError(f"run {name} is still starting; stop it when it has begun")
        if not is_live(state):
            raise UserError(f"run {name} is {state}: there is nothing to stop")
        folder.ask_to_stop()

    def delete(self, name):
        """Remove a run that is not being trained, with all that is in its folder."""
        folder = self._folder(name)
        make_folder(self.notes)
        with hold(self._lock(name)) as lock, writing(folder.path):
            if lock is None or folder.is_running():
                raise UserError(f"run {name} is being trained; stop it first")
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
        """(state, reason) of a run; "starting" where a process was begun for it that does not train yet.

        Where a process ended before it said a word in the run folder, its last words are the reason why.
        """
        file, status = self._lock(folder.name), folder.status()
        silent = self._log_file(folder.name).is_file() and _time(file) > status.get("time", 0)
        if is_locked(file):  # what its process says of itself holds, also before it holds the run
            if silent or (status.get("state"), status.get("reason")) == EXTENDED:
                return STARTING, None
            return status.get("state"), None if is_live(status.get("state")) else folder.reason()
        return ("failed", self._last_words(folder.name)) if silent else (folder.state(), folder.reason())

    def _unborn(self, name):
        """The summary of a training whose run folder is not there: it is starting, or was refused."""
        starting = is_locked(self._lock(name))
        return {"name": name, "path": str(self.runs / name), "state": STARTING if starting else "failed", "epoch": 0,
                "epochs": 0, "metrics": {}, "reason": None if starting else self._last_words(name)}  # fmt: skip

    def _log(self, name):
        """The last lines of what a training said."""
        try:
            with open(self._log_file(name), "rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
                return file.read(TAIL).decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def _last_words(self, name):
        said = self._log(name).strip().splitlines()
        return said[-1].removeprefix("kcnn: ") if said else "it ended without a word"

    def _go_on(self, name, verb, *words):
        folder = self._folder(name)
        make_folder(self.notes)
        if folder.is_running():
            raise UserError(f"run {name} is being trained already")
        with self._held(name) as lock:
            self._launch(name, lock, verb, folder.path, *words)

    def _launch(self, name, lock, *words):
        """Start `kcnn words…` apart from this process; its `lock` tells for how long it lives, however it ends."""
        command = [sys.executable, "-m", "kcnn", *map(str, words)]
        environment = {key: value for key, value in os.environ.items() if key != PARENT}
        with writing(self._log_file(name)), open(self._log_file(name), "ab") as said:
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
            if self._state(self._folder(name))[0] == STARTING:
                raise UserError(f"run {name} is being trained already")
            if time.monotonic() > end:
                raise UserError(f"the last process of run {name} has not ended yet; try again in a moment")
            time.sleep(0.1)


def is_live(state):
    """Whether a run in this state has a process that works on it."""
    return state in (*LIVE_STATES, STARTING)


def _told(folder):
    """What a run folder tells of a run, beside its state."""
    report = folder.report / "report.md"
    return folder.status() | folder.summary() | {
        "history": folder.history(), "recipe": folder.recipe(), "report": str(report) if report.is_file() else None,
        "warnings": list(dict.fromkeys(event["text"] for event in folder.events("warning"))),
    }  # fmt: skip


def _time(file):
    """When `file` was last changed; never, if it is not there."""
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _age(file):
    return -_time(file)
