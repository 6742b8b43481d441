"""`python -m tests.benchmarks WORD [options]`: run one benchmark by its file's name."""

import importlib
import sys
from pathlib import Path


def main(arguments):
    """Run the benchmark named first in `arguments` with the rest; the exit status."""
    words = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
    if not arguments or arguments[0] not in words:
        print(f"python -m tests.benchmarks WORD [--help], where WORD is one of: {', '.join(words)}")
        return 2
    return importlib.import_module(f"tests.benchmarks.{arguments[0]}").main(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
