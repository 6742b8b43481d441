"""A side of a benchmark in a process of its own, as libraries cannot always be loaded together.

The process is started with a JSON wish, says in one JSON line how it runs, {"way": …}, or what it lacks,
{"missing": …}, and then answers each number of steps on its standard input with the seconds that they took.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager


class Missing(Exception):
    """What a side needs and does not find, in a few words."""


@contextmanager
def side(module, wish, **environment):
    """(function (steps) → seconds, its way in words) of `tests.benchmarks.MODULE`; (None, what it lacks) without it."""
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", json.dumps(wish)]
    child = subprocess.Popen(
        command, env=os.environ | environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def run(steps):
        child.stdin.write(f"{steps}\n")
        child.stdin.flush()
        return json.loads(child.stdout.readline())

    try:
        line = child.stdout.readline()
        said = json.loads(line) if line else {"missing": f"its process ended with status {child.wait()}"}
        yield (None, said["missing"]) if "missing" in said else (run, said["way"])
    finally:
        child.stdin.close()
        child.wait()


def serve(prepare):
    """In the process: prepare(wish) → (function (steps) that ends when they are done, its way in words)."""
    answers, sys.stdout = sys.stdout, sys.stderr  # nothing else may speak to the parent
    try:
        run, way = prepare(json.loads(sys.argv[1]))
    except (ImportError, Missing) as error:
        lacks = str(error) if isinstance(error, Missing) else f"{error.name} is not installed"
        print(json.dumps({"missing": lacks}), file=answers, flush=True)
        return
    print(json.dumps({"way": way}), file=answers, flush=True)
    for line in sys.stdin:
        began = time.perf_counter()
        run(int(line))
        print(json.dumps(time.perf_counter() - began), file=answers, flush=True)
