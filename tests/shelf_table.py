"""The shelf of architectures as README shows it: one line a step in the history of convolutional networks.

python -m tests.shelf_table      # writes it anew into README.md, between its two marks
"""

import json
from pathlib import Path

from kcnn.inspection import shelf
from kcnn.inspection.description import large
from tests.equal_budget import FILE

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- the shelf: python -m tests.shelf_table -->\n", "<!-- the shelf ends -->"


def table():
    """The lines of the table: architectures that share year, family and idea share a line.

    The scores at equal cost are a column once they are measured.
    """
    measured = json.loads(FILE.read_text("utf-8"))["networks"] if FILE.exists() else {}
    words = ["year", "architectures", "idea", "parameters", "multiply-adds", *(["at equal cost"] if measured else ())]
    yield f"| {' | '.join(words)} |"
    yield "|---" * len(words) + "|"
    steps = {}
    for entry in shelf():
        steps.setdefault((entry.year or "", entry.family, entry.idea), []).append(entry)
    for (year, _, idea), entries in steps.items():
        names = ", ".join(f"`{entry.name}`" for entry in entries)
        costs = [_span([getattr(entry, word) for entry in entries]) for word in ("parameters", "multiply_adds")]
        found = {entry.name: measured[entry.name]["accuracy"] for entry in entries if entry.name in measured}
        scores = ", ".join(f"{100 * score:.1f} % ({name})" for name, score in found.items())
        yield f"| {' | '.join([str(year), names, idea, *costs, *([scores] if measured else ())])} |"


def _span(numbers):
    low, high = large(min(numbers)), large(max(numbers))
    return low if low == high else f"{low} to {high}"


def main():
    """Put the table into README."""
    before, _, rest = README.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(before + BEGIN + "\n".join(table()) + "\n" + END + after, "utf-8")


if __name__ == "__main__":
    main()
