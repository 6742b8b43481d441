"""A helper: a process that answers the public api's questions for a program that has no time to wait, such as a page.

The asking process loads no TensorFlow and is not slowed or ended by what a network does; answers are plain data.
"""

import dataclasses
import functools
import logging
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

from kcnn.errors import UserError

OPEN_RUNS = 2  # models that a process keeps
SERVE = "import sys; from kcnn.answering_process import serve; serve(int(sys.argv[1]))"
log = logging.getLogger(__name__)


class HelperFailed(RuntimeError):
    """A fault of kcnn's while it answered, of which the process's log tells more, or the end of that process."""


class Helper:
    """One process, started with the first question, that answers one after another and ends with the one that asks."""

    def __init__(self):
        self._line = ThreadPoolExecutor(1, "kcnn-helper")
        self._process = None

    def ask(self, verb, *args, **options):
        """A `concurrent.futures.Future` of the answer to one of kcnn's public verbs.

        verb: "describe" for `kcnn.describe(*args, **options)`; "run.predict" for `kcnn.load_run(args[0]).predict` with
            the rest, "run.levels" for `kcnn.load_run(args[0]).levels`.

        The answer is made of dicts, lists, strings, numbers and arrays. Its exception is a `UserError`, or
        `HelperFailed` for a fault of kcnn's and where the process was killed; the next question starts another.
        """
        return self._line.submit(self._answer, (verb, args, options))

    def close(self):
        """End the process, also while it answers; questions that were not begun are cancelled."""
        self._line.shutdown(wait=False, cancel_futures=True)
        if self._process:
            self._process.child.terminate()
            self._process.child.wait()

    def _answer(self, question):
        self._process = self._process or _Process()
        try:
            error, answer = self._process.ask(question)
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            raise HelperFailed(f"the question cannot be sent: {error}") from None
        except (EOFError, OSError):
            self._process = None
            raise HelperFailed("the process that answers was ended, probably for want of memory; ask again") from None
        if error:
            raise error
        return answer


class _Process:
    """One process that answers, and the pipe to it; it ends when the pipe does."""

    def __init__(self):
        here, there = socket.socketpair()
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        words = [sys.executable, "-c", SERVE, str(there.fileno())]
        self.child = subprocess.Popen(words, stdin=subprocess.DEVNULL, env=environment, pass_fds=[there.fileno()])
        there.close()
        self.pipe = Connection(here.detach())

    def ask(self, question):
        self.pipe.send(question)
        return self.pipe.recv()


def serve(descriptor):
    """Answer questions that come through a pipe until it ends: what a helper's process does."""
    pipe = Connection(descriptor)
    while True:
        try:
            question = pipe.recv()
        except EOFError:
            return
        pipe.send_bytes(_answered(*question))


def _answered(verb, args, options):
    """(error, plain answer), one of them None, as bytes."""
    try:
        return pickle.dumps((None, plain(_asked(verb, args, options))))
    except UserError as error:
        return pickle.dumps((UserError(str(error)), None))
    except Exception as error:
        log.exception("%s failed", verb)
        return pickle.dumps((HelperFailed(f"{type(error).__name__}: {error}"), None))


def _asked(verb, args, options):
    from kcnn import api

    owner, _, name = verb.rpartition(".")
    if owner != "run":
        return getattr(api, name)(*args, **options)
    run, *args = args
    asked = getattr(_run(str(run), _stamp(run)), name)
    return asked(*args, **options) if callable(asked) else asked


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
