"""The run folder: what a training leaves on disk, and the only way to read it back.

Shell, dashboard and notebooks all read the same files, so each is replaced atomically and none is pickled.
"""

import csv
import io
import json
import os
import shutil
import time
from pathlib import Path

from kcnn.errors import UserError
from kcnn.recipe import read as read_recipe
from kcnn.resources import RUNS

LIVE_STATES = ("preparing", "training", "evaluating")  # others: stopped, finished, failed


def write_atomically(path, data):
    """Replace the file `path` by `data` (bytes or text) so that a reader or a power cut sees all or nothing."""
    path = Path(path)
    data = data.encode() if isinstance(data, str) else data
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class RunFolder:
    """Paths and small files of one run at `path`."""

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

    @classmethod
    def create(cls, runs, name=None, stem="run"):
        """A new folder under `runs`, called `name`, or `stem`-1, -2, … if no name is given.

        Raises `UserError` if the name is taken or unfit for a folder, or if the folder cannot be written.
        """
        runs = Path(runs)
        if name and (Path(name).name != name or name.startswith(".")):
            raise UserError(f"run name {name!r} must be a plain folder name, without slashes or a leading dot")
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
            shutil.rmtree(self.path)

    def recipe(self):
        """The resolved `Recipe` of the run."""
        return read_recipe(self.recipe_file)

    def write_recipe(self, recipe):
        """Keep the resolved `Recipe`."""
        write_atomically(self.recipe_file, recipe.to_toml())

    def status(self):
        """The last status: state, epoch, epochs, step, steps, eta, pid, …; {} if none was written yet."""
        return read_json(self.path / "status.json")

    def set_status(self, **fields):
        """Merge `fields` into status.json."""
        status = {**self.status(), **fields, "pid": os.getpid(), "time": time.time()}
        self.write_json("status.json", status)

    def fail(self, error):
        """Note that the run ended by `error`."""
        self.set_status(state="failed", reason=str(error) or type(error).__name__)

    def is_running(self):
        """True while another process trains or scores this run."""
        status = self.status()
        alive = status.get("pid") != os.getpid() and _is_alive(status.get("pid"))
        return status.get("state") in LIVE_STATES and alive

    def environment(self):
        """What the run ran on: versions, threads, device, CPU seconds."""
        return read_json(self.path / "environment.json")

    def write_json(self, name, content):
        """Write `content` as the JSON file `name` of the run."""
        write_atomically(self.path / name, json.dumps(content, indent=1) + "\n")

    def log(self, event, **fields):
        """Append one line to events.jsonl."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **fields}) + "\n"
        with open(self.path / "events.jsonl", "a", encoding="utf-8") as file:
            file.write(line)

    def events(self, event=None):
        """The events logged so far (those called `event`), oldest first."""
        file = self.path / "events.jsonl"
        lines = file.read_text("utf-8", "replace").splitlines() if file.is_file() else []
        return [e for e in map(_parsed, lines) if e and event in (None, e["event"])]

    def write_history(self, rows):
        """Replace history.csv by `rows`, one dict an epoch."""
        text = io.StringIO()
        if rows:
            writer = csv.DictWriter(text, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        write_atomically(self.history_file, text.getvalue())

    def history(self):
        """history.csv as a list of dicts of floats, one an epoch."""
        if not self.history_file.is_file():
            return []
        with open(self.history_file, newline="", encoding="utf-8") as file:
            return [{k: float(v) for k, v in row.items() if v != ""} for row in csv.DictReader(file)]


def read_json(path):
    """The content of a JSON file, {} if it does not exist; raises `UserError` if it is damaged."""
    path = Path(path)
    try:
        return json.loads(path.read_text("utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise UserError(f"{path} is no intact JSON file: {error}") from None


def _parsed(line):
    """The event in a line, None if a power cut left half of it."""
    try:
        return json.loads(line)
    except ValueError:
        return None


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

    A run whose process is gone before its end counts as failed.
    """
    found = [RunFolder(path) for path in (Path(runs).iterdir() if Path(runs).is_dir() else ())]
    found = [folder for folder in found if folder.recipe_file.is_file()]
    return [_summary(folder) for folder in sorted(found, key=lambda f: -f.recipe_file.stat().st_mtime)]


def _summary(folder):
    status, ended = folder.status(), folder.events("finished")
    scores = {k: v for k, v in ended[-1].items() if k not in ("time", "event")} if ended else {}
    state = status.get("state", "failed")
    if state in LIVE_STATES and not _is_alive(status.get("pid")):
        state = "failed"
    return {
        "name": folder.name, "path": str(folder.path), "state": state, "epoch": status.get("epoch", 0),
        "epochs": status.get("epochs", 0), "metrics": scores,
    }  # fmt: skip


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, TypeError):
        return False
    return True
