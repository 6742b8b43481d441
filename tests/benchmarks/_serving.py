"""Sides of a benchmark: timed in turns, and in processes of their own where one would disturb another.

A process is started with a JSON wish and says in one JSON line how it runs, {"way": …}, or what it lacks,
{"missing": …}. Then it answers each [untimed, steps] on its standard input with the seconds, by the clock and of
processor time, that the steps took after the untimed ones. Between its turns it is stopped with all that it started:
its pipelines make nothing while another side is timed, and go on where they were.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import NamedTuple

ROOM = "tests.benchmarks."
PEERS = "KCNN_PEERS_PYTHON"  # the environment variable with the interpreter of PyTorch's sides, if not this one


class Missing(Exception):
    """What a side needs and does not find, in a few words."""


class Spent(NamedTuple):
    """Seconds by the clock and of processor time."""

    seconds: float
    processor: float


@contextmanager
def side(module, wish, *, stopped=True, **environment):
    """(function (steps, untimed=0) → Spent, its way) of `tests.benchmarks.MODULE`; (None, what it lacks) without it.

    `stopped`: whether its process is, between turns. It ends with the block.
    """
    child = subprocess.Popen(
        [_interpreter(module), "-m", ROOM + module, json.dumps(wish)],
        env={"TF_CPP_MIN_LOG_LEVEL": "3"} | os.environ | environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0,
    )  # fmt: skip

    def send(number):
        if not stopped:
            return
        os.killpg(child.pid, number)
        if number == signal.SIGSTOP:
            os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def run(steps, untimed=0):
        send(signal.SIGCONT)
        child.stdin.write(f"{json.dumps([untimed, steps])}\n")
        child.stdin.flush()
        line = child.stdout.readline()
        if not line:
            raise SystemExit(f"{module} ended with status {child.wait()}")
        send(signal.SIGSTOP)
        return Spent(*json.loads(line))

    try:
        line = child.stdout.readline()
        said = json.loads(line) if line else {"missing": f"its process ended with status {child.wait()}"}
        if "way" in said:
            send(signal.SIGSTOP)
        yield (None, said["missing"]) if "missing" in said else (run, said["way"])
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _interpreter(module):
    return os.environ.get(PEERS, sys.executable) if module.startswith("_torch") else sys.executable


def serve(prepare):
    """In the process: prepare(wish) → (function (steps) that ends when they are done, its way in words)."""
    answers, sys.stdout = sys.stdout, sys.stderr  # nothing else may speak to the parent
    try:
        run, way = prepare(json.loads(sys.argv[1]))
    except (ImportError, RuntimeError, Missing) as error:
        absent = isinstance(error, ModuleNotFoundError)
        lacks = f"{error.name} is not installed" if absent else (str(error) or repr(error)).splitlines()[0]
        print(json.dumps({"missing": lacks}), file=answers, flush=True)
        return
    run = here(run)
    print(json.dumps({"way": way}), file=answers, flush=True)
    for line in sys.stdin:
        untimed, steps = json.loads(line)
        print(json.dumps(run(steps, untimed)), file=answers, flush=True)


def here(act):
    """function (steps, untimed=0) → Spent of `act`, which takes a number of steps, in this process."""

    def run(steps, untimed=0):
        if untimed:
            act(untimed)
        began, worked = time.perf_counter(), time.process_time()
        act(steps)
        return Spent(time.perf_counter() - began, time.process_time() - worked)

    return run


def in_turns(sides, rounds, steps, untimed=0):
    """{side: [Spent in each round]}: the sides take turns; one turn of a step each comes before and is not counted."""
    for run in sides.values():
        run(1)
    times = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            times[name].append(run(steps, untimed))
    return times


def speed(spent, pictures):
    """Pictures a second: the median over the rounds, in each of which there were so many `pictures`."""
    return pictures / statistics.median(each.seconds for each in spent)


def ratio(slow, fast, field="seconds"):
    """The median over the rounds of what one side spent over what the other did."""
    pairs = zip(slow, fast, strict=True)
    return statistics.median(getattr(a, field) / max(getattr(b, field), 1e-9) for a, b in pairs)
