"""A side that only counts, for the tests of `_serving`: it adds the steps up in a file."""

import os
from pathlib import Path

from tests.benchmarks import _serving


def prepare(wish):
    """Steps that are added up in the file that the wish names."""
    if "file" not in wish:
        raise _serving.Missing("no file")
    seen = []

    def run(steps):
        seen.append(steps)
        Path(wish["file"]).write_text(str(sum(seen)))

    return run, str(os.getpid())


if __name__ == "__main__":
    _serving.serve(prepare)
