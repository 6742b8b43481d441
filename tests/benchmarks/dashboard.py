"""How soon the dashboard's pages are there while a training runs, over the same while it is halted, in turns.

python -m tests.benchmarks dashboard [--rounds 5] [--out dashboard.json]

A real browser opens each page by its address, as a refresh does; every third time in a second tab. The training is a
ResNet-18 at 64 px; SIGSTOP and SIGCONT halt it and let it go on.
"""

import argparse
import json
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

import kcnn
from kcnn.recipe import Recipe
from tests.browser import Visitor, browser, missing, served

PAGES = ("", "data", "augment", "architectures", "train", "runs", "predict", "explain", "export")
LOAD = {"data.image_size": 64, "train.epochs": 1000, "model.architecture": "resnet18", "model.stem": "small"}
HALTED, RUNNING = "halted", "running"


def seconds(visitor, page):
    """Wall time from the address to the whole page."""
    began = time.perf_counter()
    visitor.open(page)
    return time.perf_counter() - began


def measure(folder, rounds):
    """{halted, running: [seconds of each page of each round]}, after one round that is not counted."""
    trainings, times = kcnn.Trainings(folder / "runs"), {HALTED: [], RUNNING: []}
    name = trainings.start(Recipe().override(LOAD))
    with served(folder) as (_, address), browser() as chromium:
        tabs = [Visitor(chromium, address), Visitor(chromium, address)]
        while trainings.watch(name)["step"] < 1:
            time.sleep(0.5)
        pid = json.loads((folder / "runs" / name / "status.json").read_text())["pid"]
        try:
            for turn in range(rounds + 1):
                for state, number in ((HALTED, signal.SIGSTOP), (RUNNING, signal.SIGCONT)):
                    os.kill(pid, number)
                    taken = [seconds(tabs[place % 3 == 2], page) for place, page in enumerate(PAGES)]
                    times[state] += taken if turn else []
        finally:
            os.kill(pid, signal.SIGKILL)
    return times


def main(arguments=None):
    """Print medians, their ratio and the slowest page, and write them as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out")
    given = parser.parse_args(arguments)
    if missing():
        print(f"{missing()}: nothing is measured")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        times = measure(Path(folder), given.rounds)
    medians = {state: statistics.median(values) for state, values in times.items()}
    found = {"medians": medians, "ratio": medians[RUNNING] / medians[HALTED], "slowest": max(times[RUNNING])}
    for state, values in times.items():
        print(f"{state:8s} median {medians[state]:5.2f} s, slowest {max(values):5.2f} s, of {len(values)} pages")
    print(f"ratio of medians {found['ratio']:.2f}")
    if given.out:
        Path(given.out).write_text(json.dumps(found, indent=1), "utf-8")
    return 0


if __name__ == "__main__":
    main()
