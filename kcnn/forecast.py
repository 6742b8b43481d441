"""What more workers would give, before there are any: a step of one of them, and what adding up gradients costs.

Assumed is that each worker has what this process has (cores or GPU, memory, data as quick to read) and shares none of
it, as on machines of their own; that workers are as quick to reach as two processes here are for each other; and that
none waits for a slower one. A step first computes and then adds up (see `ReplicatedEngine`), so the two times add.
A ring of N workers sends 2 (N - 1) / N of all gradients over each link (Patarasu and Yuan 2009): two workers, which are
measured, send them once, and many send them twice.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass

import tensorflow as tf

from kcnn.recipe import Recipe
from kcnn.training import team_of
from kcnn.training.interrupts import follow_parent
from kcnn.training.replicas import sum_of_all
from kcnn.workers import environment_of, free_ports, share_of_cores

WORKERS = (2, 4, 8)
MOST = 1 << 24  # numbers that are exchanged for the measurement; the time of more grows with their number
ROUNDS, PATIENCE = 7, 120  # exchanges that are timed; seconds after which there is no answer
PROGRAM = "import json, sys; from kcnn.forecast import serve; serve(json.loads(sys.argv[1]))"


@dataclass(frozen=True)
class Forecast:
    """`workers` together: `step_seconds` of one batch of the recipe, and of that what `exchange_seconds` are.

    `faster`: how many times as fast as one worker's step that is; `more`: how many times as many pictures a second they
    learn from if each has a batch of the recipe's size.
    """

    workers: int
    step_seconds: float
    exchange_seconds: float
    faster: float
    more: float


def forecasts(batch_size, whole, half, exchange):
    """A `Forecast` for each of `WORKERS` among which the batch can be divided.

    `whole` and `half`: seconds that one worker needs for a batch and for half of one, from which those for smaller
    parts are drawn in a straight line, never below the part's share; `exchange`: seconds in which two workers add up
    all gradients.
    """
    found = []
    for workers in WORKERS:
        if batch_size % workers:
            continue
        part = max(whole - 2 * (whole - half) * (1 - 1 / workers), whole / workers)
        added = exchange * 2 * (workers - 1) / workers
        more = workers * whole / (whole + added)
        found.append(Forecast(workers, part + added, added, whole / (part + added), more))
    return tuple(found)


def exchange_seconds(sizes):
    """Seconds in which two workers add up float32 tensors of `sizes` numbers; None if they cannot be had here.

    Two processes of this machine do it, each with its share of the cores.
    """
    kept = min(1.0, MOST / max(sum(sizes), 1))
    with free_ports(2) as ports:
        cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    children = []
    try:
        for index in range(2):
            children.append(_start([max(1, round(kept * size)) for size in sizes], cluster, index))
        answers = [child.communicate(timeout=PATIENCE)[0] for child in children]
        return max(map(float, answers)) / kept
    except (subprocess.TimeoutExpired, ValueError):
        return None
    finally:
        for child in children:
            child.kill()
            child.wait()


def _start(sizes, cluster, index):
    environment = environment_of(cluster, index) | {"CUDA_VISIBLE_DEVICES": "-1"}
    with share_of_cores(index, 2):
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(sizes)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip


def serve(sizes):
    """In a worker process: print the seconds of one exchange, the least of a few: others may disturb."""
    follow_parent()
    team = team_of(Recipe().runtime)
    with team.scope():
        parts = [tf.Variable(tf.zeros([size])) for size in sizes]

    @tf.function(autograph=False)
    def exchange():
        return team.strategy.run(lambda: sum_of_all([tf.identity(part) for part in parts]))

    times = []
    for _ in range(1 + ROUNDS):
        team.meet()
        began = time.perf_counter()
        team.strategy.experimental_local_results(exchange()[-1])[0].numpy()
        times.append(time.perf_counter() - began)
    sys.stdout.write(f"{min(times[1:])}\n")
