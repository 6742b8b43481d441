"""A helper: processes that answer the public api's questions for a program that has no time to wait, such as a page.

The asking process loads no TensorFlow and is not slowed or ended by what a network does; answers are plain data.
"""

import dataclasses
import functools
import logging
import multiprocessing
import os
import threading
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from kcnn.errors import UserError

OPEN_RUNS = 2  # models that a process keeps
log = logging.getLogger(__name__)


class Helper:
    """At most so many `processes`, started when they are needed; they end with the process that made them."""

    def __init__(self, processes=2):
        self.processes, self._pool, self._lock = processes, None, threading.Lock()

    def ask(self, verb, *args, **options):
        """A `concurrent.futures.Future` of the answer to one of kcnn's public verbs.

        verb: "describe" for `kcnn.describe(*args, **options)`; "run.predict" for `kcnn.load_run(args[0]).predict` with
            the rest.

        The answer is made of dicts, lists, strings, numbers and arrays. Its exception is a `UserError`, `HelperFailed`
        for a fault of kcnn's, or `BrokenProcessPool` where the process was killed; the next question starts another.
        """
        with self._lock:
            try:
                return self._submit(verb, args, options)
            except BrokenProcessPool:
                self._pool = None
                return self._submit(verb, args, options)

    def close(self):
        """End the processes; questions that were not begun are cancelled."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _submit(self, *question):
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.processes, context, _begin, (os.getpid(),))
        return self._pool.submit(_answer, *question)


class HelperFailed(RuntimeError):
    """A fault of kcnn's while it answered; its log has the traceback."""


def _begin(parent):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["KCNN_PARENT"] = str(parent)
    from kcnn import api  # noqa: F401, so that the first question need not wait for it
    from kcnn.training.interrupts import follow_parent

    follow_parent()


def _answer(verb, args, options):
    """The plain answer; what is raised can be sent to the process that asked."""
    from kcnn import api

    try:
        owner, _, name = verb.rpartition(".")
        if owner == "run":
            run, *args = args
            asked = getattr(_run(str(run), _stamp(run)), name)
            return plain(asked(*args, **options) if callable(asked) else asked)
        return plain(getattr(api, name)(*args, **options))
    except UserError as error:
        raise UserError(str(error)) from None
    except Exception as error:
        log.exception("%s failed", verb)
        raise HelperFailed(f"{type(error).__name__}: {error}") from None


@functools.lru_cache(OPEN_RUNS)
def _run(path, stamp):
    from kcnn import api

    return api.load_run(path)


def _stamp(path):
    """What changes when a run's weights or report do."""
    files = (Path(path, "best.safetensors"), Path(path, "report", "metrics.json"))
    return tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in files)


def plain(value):
    """`value` as dicts, lists, strings, numbers and arrays; of a record with `lines()`, these too."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value):
        shown = {"lines": list(value.lines())} if hasattr(value, "lines") else {}
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)} | shown
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value
