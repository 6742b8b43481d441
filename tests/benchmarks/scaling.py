"""Two workers that train one network together, against one of them alone; each worker has one core of this machine.

    python -m tests.benchmarks scaling [--rounds 5] [--steps 3] [--network resnet18] [--side 64] [--out scaling.json]

64 pictures a worker and step, one repeated batch. Rounds alternate between one worker, two that know nothing of each
other, and two together, so that what else the machine does meets all; figures are medians over the rounds. Two
strangers over twice one is what the machine allows; two together over two strangers is what exchanging gradients costs.
The forecast is that of `kcnn plan`: one worker's step, and an exchange of gradients measured apart.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time

from kcnn.workers import free_ports

BATCH, CLASSES = 64, 1000


def serve(core, network, side):
    """A worker on one core: for each number read from stdin it takes so many steps and writes their seconds."""
    os.sched_setaffinity(0, {core})
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    answers, sys.stdout = sys.stdout, sys.stderr
    step, sizes = _step(network, side)
    for _ in range(2):  # which build the graph
        step()
    print(json.dumps(sizes), file=answers, flush=True)
    for line in sys.stdin:
        began = time.perf_counter()
        for _ in range(int(line)):
            step()
        print(time.perf_counter() - began, file=answers, flush=True)


def _step(network, side):
    import numpy as np
    import tensorflow as tf

    from kcnn.models import build_model, head_of
    from kcnn.recipe import Recipe
    from kcnn.training import Engine, ReplicatedEngine, make_optimizer, runtime, team_of

    recipe = Recipe().override({"train.optimizer": "sgd", "runtime.threads": 1})
    runtime.prepare(recipe.runtime)
    team = team_of(recipe.runtime)
    with team.scope():
        head = head_of("classifier", num_classes=CLASSES)
        model = build_model(network, head, input_shape=(side, side, 3), stem="standard")
        optimizer = make_optimizer(recipe.train, model.trainable_variables)
    engine = (ReplicatedEngine if team.replicas > 1 else Engine)(model, head, optimizer, team=team)
    rng = np.random.default_rng(team.worker)
    image = tf.constant(rng.integers(0, 255, (BATCH, side, side, 3), dtype=np.uint8))
    batch = {"image": image, "label": tf.range(BATCH), "weight": tf.ones(BATCH)}

    def step():
        sums, _ = engine.train_step(batch, np.float32(1e-3), np.float32(0))
        sums.numpy()

    return step, [math.prod(v.shape) for v in model.trainable_variables]


def start(core, given, config=None):
    """A worker process, which will say when it is ready."""
    environment = os.environ | ({"TF_CONFIG": json.dumps(config)} if config else {})
    words = [
        sys.executable,
        "-m",
        "tests.benchmarks.scaling",
        "--core",
        str(core),
        "--network",
        given.network,
        "--side",
        str(given.side),
    ]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(words, env=environment, text=True, **pipes)


def seconds(children, steps):
    """What the slowest of these workers needs for so many steps, taken at the same time."""
    for child in children:
        child.stdin.write(f"{steps}\n")
        child.stdin.flush()
    return max(float(child.stdout.readline()) for child in children)


def measure(given):
    """{side: pictures a second} of one worker, two strangers and two together; and what `kcnn plan` would forecast."""
    from kcnn.forecast import exchange_seconds

    cores = sorted(os.sched_getaffinity(0))[:2]
    with free_ports(2) as ports:
        cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    configs = [{"cluster": cluster, "task": {"type": "worker", "index": index}} for index in range(2)]
    strangers = [start(core, given) for core in cores]
    together = [start(core, given, config) for core, config in zip(cores, configs, strict=True)]
    sides = {"one": strangers[:1], "two strangers": strangers, "two together": together}
    times = {name: [] for name in sides}
    try:
        for child in (*strangers, *together):
            if not (sizes := child.stdout.readline()):
                raise SystemExit("a worker did not start")
        for _ in range(given.rounds):
            for name, children in sides.items():
                times[name].append(seconds(children, given.steps))
    finally:
        for child in (*strangers, *together):
            child.kill()
            child.wait()
    pictures = BATCH * given.steps
    found = {name: len(sides[name]) * pictures / statistics.median(values) for name, values in times.items()}
    exchange = exchange_seconds(json.loads(sizes))
    return found, {"exchange seconds": exchange, "two, forecast": 2 * BATCH / (BATCH / found["one"] + exchange)}


def main(arguments=None):
    """Print pictures a second and their ratios, and write them as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--out")
    given = parser.parse_args(arguments)
    if given.core is not None:
        return serve(given.core, given.network, given.side)
    found, forecast = measure(given)
    one, strangers, together = found.values()
    found |= {"together over twice one": together / (2 * one), "strangers over twice one": strangers / (2 * one)}
    found["together over strangers"] = together / strangers
    found |= forecast | {"forecast over together": forecast["two, forecast"] / together}
    for name, value in found.items():
        print(f"{name:26s}{value:8.2f}")
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump(vars(given) | found, file, indent=1)
    return None


if __name__ == "__main__":
    main()
