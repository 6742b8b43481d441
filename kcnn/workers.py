"""Several workers on this machine: the same command in as many processes, which train one run together."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

from kcnn.errors import UserError
from kcnn.repeats import CHILD
from kcnn.training.interrupts import PARENT
from kcnn.training.team import CLUSTER

POLL_SECONDS = 0.2
GRACE_SECONDS = 100  # for workers whose peer is gone, to say so themselves


def run_workers(words, count):
    """Run `kcnn WORDS…` in `count` processes that are each other's workers; returns the chief's status.

    Each gets its share of the processor's cores. What the chief says is shown, of the others only errors. Raises
    `UserError` with the worker that ended first, and how, if one fails; none outlives this process.
    """
    with free_ports(count) as ports:
        cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    children = [_start(words, cluster, index) for index in range(count)]
    try:
        with _passing_on(children):
            first = _first_failure(children)
            if first is not None:
                _wait(children, GRACE_SECONDS)
    finally:
        _end(children)
    if first is not None:
        raise UserError(_obituary(first, children[first].returncode))
    return children[0].returncode


@contextmanager
def free_ports(count):
    """Free ports of this machine; taken until the block ends."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        yield [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def _start(words, cluster, index):
    config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
    environment = os.environ | {PARENT: str(os.getpid()), CLUSTER: config}
    with _share_of_cores(index, len(cluster["worker"])):
        return subprocess.Popen(
            [sys.executable, "-c", CHILD, *map(str, words)],
            env=environment,
            stdout=None if index == 0 else subprocess.DEVNULL,
        )


@contextmanager
def _share_of_cores(index, count):
    """Within the block this thread, and what it starts, has every `count`th core only, if there are so many."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < count:
        yield
        return
    os.sched_setaffinity(0, cores[index::count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def _passing_on(children):
    """Within the block SIGTERM reaches the workers, which then stop with a checkpoint; as Ctrl-C does by itself."""

    def pass_on(number, frame):
        for child in children:
            if number != signal.SIGINT:
                child.send_signal(number)

    handlers = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _first_failure(children):
    """The number of the first worker that ended with an error, None once all have ended well."""
    while True:
        codes = [child.poll() for child in children]
        failed = [i for i, code in enumerate(codes) if code]
        if failed:
            return min(failed, key=lambda i: codes[i] > 0)  # a killed one before those that only noticed it
        if all(code == 0 for code in codes):
            return None
        time.sleep(POLL_SECONDS)


def _wait(children, seconds):
    until = time.monotonic() + seconds
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(0, until - time.monotonic()))


def _end(children):
    for child in children:
        if child.poll() is None:
            child.kill()
    for child in children:
        child.wait()


def _obituary(index, code):
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    return f"worker {index} {how}, and the others have ended; `kcnn resume RUN --workers …` goes on"
