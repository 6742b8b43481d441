"""The run folder: what a training leaves on disk, and the only way to read it back.

Shell, dashboard and notebooks all read the same files, so each is replaced atomically and none is pickled.
"""

import csv
import io
import json
import logging
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

from kcnn.disk import (
    WriteError,
    append_line,
    is_locked,
    lock,
    read_bounded,
    read_json,
    sweep,
    write_atomically,
    writing,
)
from kcnn.errors import UserError
from kcnn.recipe import read as read_recipe
from kcnn.resources import RUNS

EXTENDED = "stopped", "extended"  # state and reason of a run whose recipe has more epochs than it was trained for
LIVE_STATES = ("preparing", "training", "evaluating")  # others: stopped, finished, failed
MOST_NAME = 200  # bytes of a run's name: file systems take 255, some of which files beside the run need
log = logging.getLogger(__name__)


class RunFolder:
    """Paths and small files of one run at `path`."""

    writes = True  # whether this process is the one that writes it

    def __init__(self, path):
        self.path = Path(path)
        self.name = self.path.name
        self.recipe_file = self.path / "recipe.toml"
        self.facts_file = self.path / "facts.json"
        self.history_file = self.path / "history.csv"
        self.checkpoints = self.path / "checkpoints"
        self.best = self.path / "best.safetensors"
        self.last = self.path / "last.safetensors"
        self.report = self.path / "report"
        self.exports = self.path / "exports"
        self.stop_file = self.path / "stop"
        self.lock_file = self.path / ".lock"

    @classmethod
    def create(cls, runs, name=None, stem="run"):
        """A new folder under `runs`, called `name`, or `stem`-1, -2, … if no name is given.

        Raises `UserError` if the name is taken or unfit for a folder, or if the folder cannot be written.
        """
        runs = Path(runs)
        refuse_unfit(name)
        try:
            runs.mkdir(parents=True, exist_ok=True)
            if name:
                (runs / name).mkdir()
            else:
                name = _first_free(runs, stem)
            folder = cls(runs / name)
            folder.checkpoints.mkdir()
            return folder
        except FileExistsError:
            raise UserError(f"run {name!r} exists already in {runs}; choose another --name, or resume it") from None
        except OSError as error:
            raise UserError(
                f"cannot write the run folder {runs}: {error.strerror}; set runtime.runs to another"
            ) from None

    @classmethod
    def open(cls, path):
        """The existing run at `path`; raises `UserError` where there is none."""
        folder = cls(path)
        if not folder.recipe_file.is_file():
            raise UserError(f"no run at {path}: it has no recipe.toml; runs are kept below the folder runs/")
        return folder

    def discard(self):
        """Remove a run that was refused before its first step."""
        if not any(self.checkpoints.iterdir()):
            shutil.rmtree(self.path, ignore_errors=True)

    def recipe(self):
        """The resolved `Recipe` of the run."""
        return read_recipe(self.recipe_file)

    def write_recipe(self, recipe):
        """Keep the resolved `Recipe`."""
        write_atomically(self.recipe_file, recipe.to_toml())

    def status(self):
        """The last status: state, epoch, epochs, step, steps, eta, pid, …; {} if there is none, or a damaged one."""
        return self._told("status.json")

    def set_status(self, **fields):
        """Merge `fields` into status.json."""
        status = {**self.status(), **fields, "pid": os.getpid(), "time": time.time()}
        self.write_json("status.json", status)

    def fail(self, error):
        """Note that the run ended by `error`, if the disk still takes notes."""
        state = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
        try:
            self.set_status(state=state, reason=str(error) or type(error).__name__)
        except WriteError as unwritten:
            log.debug("%s", unwritten)  # the error itself is told; a run that nobody holds counts as failed

    @contextmanager
    def held(self):
        """Within the block this run is trained here and nowhere else; raises `UserError` if it is being trained."""
        with lock(self.lock_file) as got:
            if not got:
                pid = self.status().get("pid", "unknown")
                raise UserError(f"run {self.name} is being trained by process {pid}; stop that first")
            for folder in (self.path, self.checkpoints, self.report):
                sweep(folder)
            yield

    @contextmanager
    def noting_its_end(self, way_on=None):
        """If the block fails, the status says so; a disk that refuses is a `UserError` with the `way_on`."""
        try:
            yield
        except WriteError as error:
            self.fail(error)
            raise UserError(f"{error}, then {way_on or f'`kcnn resume {self.path}`'}") from error
        except BaseException as error:
            self.fail(error)
            raise

    def state(self):
        """The state in its status; "failed" for one whose process died without a word."""
        return self._standing()[0]

    def reason(self):
        """Why it is in that state, in words, where there is more to say; None else."""
        state, status = self._standing()
        if state == "failed" and status.get("state") in LIVE_STATES:
            return f"its process {status.get('pid', '')} ended without a word: killed, out of memory, or no power"
        return status.get("reason") if state in ("stopped", "failed") else None

    def ask_to_stop(self):
        """Ask whoever trains it to finish the step, save a checkpoint and stop."""
        with writing(self.stop_file):
            self.stop_file.touch()

    def is_running(self):
        """True while a process trains or scores this run; a process that died does not, whatever the status says."""
        return self.status().get("state") in LIVE_STATES and is_locked(self.lock_file)

    def _standing(self):
        """(state, status), of one moment: what its process says last, it says before it lets go of the lock."""
        while (status := self.status()).get("state") in LIVE_STATES and not is_locked(self.lock_file):
            if self.status() == status:
                return "failed", status
        return status.get("state", "failed"), status

    def forget_stop(self):
        """Remove a `stop` file, so that a run that goes on does not stop at once."""
        with writing(self.stop_file):
            self.stop_file.unlink(missing_ok=True)

    def environment(self):
        """What the run ran on: versions, threads, device, CPU seconds; {} if that file is missing or damaged."""
        return self._told("environment.json")

    def _told(self, name):
        """A JSON file that training can do without."""
        try:
            return read_json(self.path / name)
        except UserError as error:
            log.warning("%s", error)
            return {}

    def write_json(self, name, content):
        """Write `content` as the JSON file `name` of the run."""
        write_atomically(self.path / name, json.dumps(content, indent=1) + "\n")

    def log(self, event, **fields):
        """Append one line to events.jsonl."""
        append_line(self.path / "events.jsonl", json.dumps({"time": round(time.time(), 3), "event": event, **fields}))

    def events(self, event=None):
        """The events logged so far (those called `event`), oldest first."""
        file = self.path / "events.jsonl"
        lines = read_bounded(file).decode("utf-8", "replace").splitlines() if file.is_file() else []
        return [e for e in map(_parsed, lines) if e and event in (None, e["event"])]

    def summary(self):
        """name, path, state, epoch, epochs, metrics: what a list of runs shows of one."""
        status, ended = self.status(), [e for e in self.events() if e["event"] in ("finished", "reported")]
        scores = ended[-1].get("scores", {}) if ended else {}
        return {"name": self.name, "path": str(self.path), "state": self.state(), "epoch": status.get("epoch", 0),
                "epochs": status.get("epochs", 0), "metrics": scores}  # fmt: skip

    def write_history(self, rows):
        """Replace history.csv by `rows`, one dict an epoch."""
        text = io.StringIO()
        if rows:
            writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)))
            writer.writeheader()
            writer.writerows(rows)
        write_atomically(self.history_file, text.getvalue())

    def history(self):
        """history.csv as a list of dicts of floats, one an epoch."""
        if not self.history_file.is_file():
            return []
        try:
            file = io.StringIO(read_bounded(self.history_file).decode("utf-8"), newline="")
            return [{k: float(v) for k, v in row.items() if v != ""} for row in csv.DictReader(file)]
        except (ValueError, TypeError, csv.Error) as error:
            raise UserError(f"{self.history_file} is no intact history: {error}") from None


def _parsed(line):
    """The event in a line, None if a power cut left half of it or it is none."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and "event" in event else None


def refuse_unfit(name):
    """Raises `UserError` for the name of a run that is no name of a folder; None is fit."""
    if name and (Path(name).name != name or name.startswith(".") or not name.isprintable()):
        raise UserError(
            f"run name {name!r} must be a plain folder name, without slashes, control characters or a leading dot"
        )
    if name and len(os.fsencode(name)) > MOST_NAME:
        raise UserError(f"run name {name[:40]!r}… has {len(os.fsencode(name))} bytes; at most {MOST_NAME}: shorten it")


def _first_free(runs, stem):
    number = 1
    while True:
        try:
            (runs / f"{stem}-{number}").mkdir()
            return f"{stem}-{number}"
        except FileExistsError:
            number += 1


def list_runs(runs=RUNS):
    """The runs below the folder `runs`, newest first: dicts of name, path, state, epoch, epochs, metrics.

    metrics are those of the last report, {} before one: of a training that has finished or was stopped by a stop file.
    A run whose process is gone before its end counts as failed.
    """
    found = [RunFolder(path) for path in (Path(runs).iterdir() if Path(runs).is_dir() else ())]
    found = [folder for folder in found if folder.recipe_file.is_file()]
    return [folder.summary() for folder in sorted(found, key=lambda f: -f.recipe_file.stat().st_mtime)]
