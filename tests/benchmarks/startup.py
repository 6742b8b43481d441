"""Start-up cost: `import kcnn` over bare Python, and `kcnn --help`; medians of interleaved fresh processes.

python -m tests.benchmarks.startup [--rounds 9] [--out startup.json]
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

HELP = "import sys; sys.argv = ['kcnn', '--help']; from kcnn import cli; cli.main()"
COMMANDS = {"python": "pass", "import kcnn": "import kcnn", "kcnn --help": HELP}


def milliseconds(code):
    """Wall time of a fresh interpreter that runs `code`."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - began)


def measure(rounds):
    """{command: median milliseconds}, after one round that is not counted."""
    times = {name: [] for name in COMMANDS}
    for turn in range(rounds + 1):
        for name, code in COMMANDS.items():
            taken = milliseconds(code)
            if turn:
                times[name].append(taken)
    return {name: statistics.median(values) for name, values in times.items()}


def main(arguments=None):
    """Print the medians and write them as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out")
    given = parser.parse_args(arguments)
    medians = measure(given.rounds)
    for name, value in medians.items():
        print(f"{name:14s}{value:8.1f} ms   {value - medians['python']:+8.1f} ms over bare Python")
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump(medians, file, indent=1)


if __name__ == "__main__":
    main()
