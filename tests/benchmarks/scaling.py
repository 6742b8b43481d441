"""Two workers that train one network together, against one of them alone; each worker has one core of this machine.

    python -m tests.benchmarks scaling [--rounds 5] [--steps 3] [--network resnet18] [--side 64] [--out scaling.json]

64 pictures a worker and step, one repeated batch. Rounds alternate between one worker, two that know nothing of each
other, and two together, so that what else the machine does meets all; figures are medians over the rounds. Two
strangers over twice one is what the machine allows; two together over two strangers is what exchanging gradients costs.
The forecast is that of `kcnn plan`: one worker's step, and an exchange of gradients measured apart.
"""

import argparse
import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from kcnn import forecast
from kcnn.workers import free_ports
from tests.benchmarks import _serving

BATCH = 64


def workers(stack, given, cores, together):
    """[(function (steps) → Spent, its way)] of a worker a core, which end with the `stack`.

    They are not stopped between turns: a worker that is would be taken for lost by the other.
    """
    with free_ports(len(cores)) as ports:
        cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}

    def start(index):
        config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        environment = {"TF_CONFIG": json.dumps(config)} if together else {}
        wish = {"core": cores[index], "network": given.network, "side": given.side, "batch": given.batch}
        return stack.enter_context(_serving.side("_worker", wish, stopped=False, **environment))

    with ThreadPoolExecutor() as pool:  # as those of a cluster only start together
        found = list(pool.map(start, range(len(cores))))
    for run, way in found:
        if run is None:
            raise SystemExit(f"a worker did not start: {way}")
    return found


def at_once(runs, pool):
    """A side: all of `runs` at the same time; what the slowest of them spends."""

    def run(steps, untimed=0):
        return max(pool.map(lambda each: each(steps, untimed), runs))

    return run


def measure(given):
    """{side: pictures a second} of one worker, two strangers and two together; and what `kcnn plan` would forecast."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        raise SystemExit("scaling needs two cores, one for each worker, and this process has one; give it another")
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor())
        strangers, together = (workers(stack, given, cores, apart) for apart in (False, True))
        sizes = json.loads(strangers[0][1])
        strangers, together = ([run for run, _ in found] for found in (strangers, together))
        sides = {"one": strangers[:1], "two strangers": strangers, "two together": together}
        times = _serving.in_turns(
            {name: at_once(runs, pool) for name, runs in sides.items()}, given.rounds, given.steps
        )
    found = {name: _serving.speed(spent, len(sides[name]) * given.batch * given.steps) for name, spent in times.items()}
    return found, forecast_of(found["one"], given.batch, forecast.exchange_seconds(sizes))


def forecast_of(one, batch, exchange):
    """What `kcnn plan` says of two workers with a batch each where one learns from `one` pictures a second; {} if not.

    It says nothing where no exchange could be measured.
    """
    if exchange is None:
        return {}
    step = batch / one
    two = forecast.forecasts(batch, step, step / 2, exchange)[0]
    return {"exchange seconds": exchange, "two, forecast": two.more * one}


def main(arguments=None):
    """Print pictures a second and their ratios, and write them as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--batch", type=int, default=BATCH, help="an even number of pictures")
    parser.add_argument("--out")
    given = parser.parse_args(arguments)
    found, forecasted = measure(given)
    one, strangers, together = found.values()
    found |= {"together over twice one": together / (2 * one), "strangers over twice one": strangers / (2 * one)}
    found["together over strangers"] = together / strangers
    found |= forecasted
    if forecasted:
        found["forecast over together"] = forecasted["two, forecast"] / together
    for name, value in found.items():
        print(f"{name:26s}{value:8.2f}")
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump(vars(given) | found, file, indent=1)


if __name__ == "__main__":
    main()
