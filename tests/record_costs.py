"""Count the costs of all architectures at their papers' inputs and write kcnn/inspection/costs.json anew.

python -m tests.record_costs [NAME ...]     # only these, the others stay; without names, all, in some minutes
"""

import json
import sys

from kcnn.architectures import ARCHITECTURES
from kcnn.inspection.shelf import FILE, count


def main(names):
    """Count, and write a line an architecture."""
    kept = json.loads(FILE.read_text("utf-8")) if names else {}
    wanted = names or [name for name in ARCHITECTURES if not name.endswith("_toy")]
    kept |= {name: count(name) for name in wanted}
    lines = [f"{json.dumps(name)}: {json.dumps(costs)}" for name, costs in sorted(kept.items())]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
