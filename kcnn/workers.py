"""Several workers on this machine: the same command in as many processes, which train one run together."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager

import tensorflow as tf

from kcnn.errors import LostWorker, UserError
from kcnn.training.interrupts import PARENT
from kcnn.training.team import CLUSTER, LOCAL

PROGRAM = (sys.executable, "-c", "from kcnn import cli; cli.main()")  # the command line, in a process of its own
TOLD = UserError.status
VISIBLE = "CUDA_VISIBLE_DEVICES"  # the environment variable that names a process its GPUs
POLL_SECONDS = 0.2
GRACE_SECONDS = 30  # for workers whose peer is gone, to end by themselves


def run_workers(words, count):
    """Run `kcnn WORDS…` in `count` processes that are each other's workers; returns the status, 0 if all went well.

    Each gets its share of the processor's cores and of the GPUs, if there are any. What the chief says is shown; what
    the others say only if it tells why all ended. Raises `UserError` with the worker that failed and how, if one does,
    which are not those that only lost it; none outlives this process.
    """
    gpus = shares_of_gpus(count)
    with free_ports(count) as ports:
        cluster = {"worker": [f"{LOCAL}:{port}" for port in ports]}
    with ExitStack() as files:
        said = [None, *(files.enter_context(tempfile.TemporaryFile()) for _ in range(count - 1))]
        children = []
        try:
            for index in range(count):
                children.append(_start(words, cluster, index, said[index], gpus[index]))
            with _passing_on(children):
                codes = _codes(children)
        finally:
            _end(children)
        failed = [index for index, code in enumerate(codes) if code]
        if not failed:
            return 0
        worst = min(failed, key=lambda i: (codes[i] > 0, codes[i] == LostWorker.status, codes[i] == TOLD, i))
        if worst == 0 and codes[0] in (TOLD, LostWorker.status):
            return TOLD  # a mistake of the user's, which the chief has told
        raise UserError(_obituary(worst, codes[worst], said[worst], count))


@contextmanager
def free_ports(count):
    """Free ports of this machine; taken until the block ends."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        yield [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def environment_of(cluster, index):
    """The environment of a process that is to be worker number `index` of a cluster, and to end with this one."""
    config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
    return os.environ | {PARENT: str(os.getpid()), CLUSTER: config}


def _start(words, cluster, index, said, gpus):
    with share_of_cores(index, len(cluster["worker"])):
        return subprocess.Popen(
            [*PROGRAM, *map(str, words)],
            env=environment_of(cluster, index) | gpus,
            stdout=said,
            stderr=said,
        )


def shares_of_gpus(count):
    """For each of `count` workers the environment in which it sees its GPUs and no other's, all as many.

    Raises `UserError` where there are GPUs and fewer than workers: two workers on one could not add up gradients.
    """
    found = len(tf.config.list_physical_devices("GPU"))
    if not found:
        return [{}] * count
    if count > found:
        rule = f"must be at most the number of GPUs here, {found}"
        raise UserError(f"--workers {count} {rule}; set {VISIBLE}=-1 for workers on the processor's cores")
    names = os.environ[VISIBLE].split(",") if os.environ.get(VISIBLE) else list(map(str, range(found)))
    each = found // count
    return [{VISIBLE: ",".join(names[i * each : (i + 1) * each])} for i in range(count)]


@contextmanager
def share_of_cores(index, count):
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


def _codes(children):
    """The status of each when all have ended, or some time after the first has failed; None for one that has not."""
    until = float("inf")
    while any(child.poll() is None for child in children) and time.monotonic() < until:
        if any(child.returncode for child in children):
            until = min(until, time.monotonic() + GRACE_SECONDS)
        time.sleep(POLL_SECONDS)
    return [child.poll() for child in children]


def _end(children):
    for child in children:
        if child.poll() is None:
            child.kill()
    for child in children:
        child.wait()


def _obituary(index, code, said, count):
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    words = []
    if said is not None and code > 0:
        said.seek(0)
        words = said.read().decode(errors="replace").strip().splitlines()[-1:]
    if words and code == TOLD:
        return f"worker {index}: {words[0].removeprefix('kcnn: ')}"
    way = f"`kcnn resume RUN --workers {count}` goes on; where no run was begun, the same command again"
    return ": ".join([f"worker {index} {how}", *words]) + f"; {way}"
