"""Does the input starve the network: training fed by JPEG files with RandAugment against one cached batch.

    python -m tests.benchmarks feeding [--rounds 5] [--steps 20] [--out feeding.json]

ResNet-18 at 128 px, 64 pictures a step. Rounds alternate between the two, so that what else the machine does meets
both. Each is a process of its own, which stands still during the other's turn: no pipeline works beside the cached
batch, and none fills its buffers for free; untimed steps before each turn empty what they hold. The ratio is that of
pictures a second, fed over cached (wanted 0.85).
"""

import argparse
import json
import tempfile
from pathlib import Path

from tests.benchmarks import _serving
from tests.benchmarks.pipeline import BATCH, CROP, photographs

SIDE, WANTED, UNTIMED = 128, 0.85, 6


def main(arguments=None):
    """Print the ratio, write JSON if asked to; 0 if it is as wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out")
    given = parser.parse_args(arguments)
    wish = {"kind": "kcnn", "augment": CROP | {"policy": "randaugment"}, "batch": BATCH, "side": SIDE}
    with tempfile.TemporaryDirectory() as folder:
        wish["files"] = photographs(Path(folder))
        with (
            _serving.side("_training", wish | {"cached": False}) as (fed, way),
            _serving.side("_training", wish | {"cached": True}) as (cached, _),
        ):
            if not (fed and cached):
                raise SystemExit(way)
            times = _serving.in_turns({"fed": fed, "cached": cached}, given.rounds, given.steps, UNTIMED)
    speeds = {side: round(_serving.speed(spent, BATCH * given.steps), 1) for side, spent in times.items()}
    ratio = _serving.ratio(times["cached"], times["fed"])
    print(f"fed {speeds['fed']} pictures/s, cached {speeds['cached']}: {ratio:.2f} (wanted {WANTED})")
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump({**speeds, "ratio": round(ratio, 3), "wanted": WANTED}, file, indent=1)
    return int(ratio < WANTED)


if __name__ == "__main__":
    raise SystemExit(main())
