"""Does the input starve the network: training fed by JPEG files with RandAugment against one cached batch.

    python -m tests.benchmarks feeding [--rounds 5] [--steps 4] [--out feeding.json]

ResNet-18 at 128 px, 64 pictures a step. Rounds alternate between the two, so that what else the machine does meets
both; the ratio is that of pictures a second, fed over cached (wanted 0.85).
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402

from kcnn import data  # noqa: E402
from kcnn.data.samples import DataSet, Files, Samples, as_strings, numbered  # noqa: E402
from kcnn.models import build_model, head_of  # noqa: E402
from kcnn.recipe import Augment, Data, Recipe  # noqa: E402
from kcnn.training import Engine, make_optimizer  # noqa: E402
from tests.benchmarks.pipeline import BATCH, CROP, photographs  # noqa: E402

SIDE, WANTED = 128, 0.85


def main(arguments=None):
    """Print the ratio, write JSON if asked to; 0 if it is as wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--out")
    given = parser.parse_args(arguments)
    head = head_of("classifier", num_classes=2)
    model = build_model("resnet18", head, input_shape=(SIDE, SIDE, 3), stem="standard")
    engine = Engine(model, head, make_optimizer(Recipe().train, model.trainable_variables))
    with tempfile.TemporaryDirectory() as folder:
        paths = photographs(Path(folder))
        samples = Samples(Files(as_strings(paths)), np.arange(len(paths), dtype=np.int32) % 2, numbered(len(paths)))
        checked = data.check(DataSet({"train": samples}, ("a", "b"), False, "files"), Data()).splits["train"]
        augment = Augment(**CROP, policy="randaugment")
        fed = iter(data.batches(checked, (SIDE, SIDE, 3), BATCH, training=True, num_classes=2, augment=augment))
        kept = next(fed)
        sides = {"fed": lambda: next(fed), "cached": lambda: kept}
        times = {side: [] for side in sides}
        for turn in range(given.rounds + 1):
            for side, batch in sides.items():
                began = time.perf_counter()
                for step in range(given.steps):
                    engine.train_step(batch(), np.float32(1e-4), np.float32(step))[0].numpy()
                if turn:
                    times[side].append((time.perf_counter() - began) / given.steps)
    speeds = {side: round(BATCH / statistics.median(values), 1) for side, values in times.items()}
    ratio = statistics.median(c / f for c, f in zip(times["cached"], times["fed"], strict=True))
    print(f"fed {speeds['fed']} pictures/s, cached {speeds['cached']}: {ratio:.2f} (wanted {WANTED})")
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump({**speeds, "ratio": round(ratio, 3), "wanted": WANTED}, file, indent=1)
    return int(ratio < WANTED)


if __name__ == "__main__":
    raise SystemExit(main())
