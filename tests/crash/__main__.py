"""`python -m tests.crash --kills 200`: so many SIGKILLs, so many exact resumes; status 1 if one was not."""

import argparse
import collections
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.harness import Harness
from tests.crash.nursery import Nursery


def main():
    """Kill, resume, compare, and print a line a kill and the sums."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the instants")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kcnn-crash-") as folder, Nursery(Path(folder, "log.txt")) as nursery:
        harness, began, trials = Harness(folder, nursery, options.seed), time.monotonic(), []
        for number in range(options.kills):
            trials.append(harness.trial(number))
            last = trials[-1]
            words = "exact" if not last["differs"] else f"DIFFERS: {', '.join(last['differs'][:5])}"
            print(f"{number + 1:4d}  {last['where']:9s}  step {last['step']:2d}  {words}", flush=True)
        report(trials, time.monotonic() - began)
        return any(trial["differs"] for trial in trials)


def report(trials, seconds):
    """The sums of all trials."""
    where = collections.Counter(trial["where"] for trial in trials)
    after = sum(trial["checkpoint"] > 0 for trial in trials)
    exact = sum(not trial["differs"] for trial in trials)
    steps = collections.Counter(trial["step"] for trial in trials)
    print(f"{len(trials)} kills, {exact} exact resumes, {seconds / len(trials):.1f} s each")
    print(f"after the first checkpoint of a step: {after} ({after / len(trials):.0%})")
    print("at: " + ", ".join(f"{name} {count}" for name, count in where.items()))
    print("steps begun: " + ", ".join(f"{step}: {steps[step]}" for step in sorted(steps)))


if __name__ == "__main__":
    sys.exit(main())
