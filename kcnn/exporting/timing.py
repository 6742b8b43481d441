"""How long do answers take? Written files and the model take turns, so that a busy machine is unfair to none."""

import json
import time

import numpy as np

from kcnn.disk import read_json, write_atomically
from kcnn.evaluation.predictions import answer
from kcnn.exporting.registry import EXPORTERS

SIZES, WARM, ROUNDS = (1, 8), 3, 25  # pictures at once; rounds before the timing, and timed


def time_exports(model, head, facts, folder, images):
    """Time what lies in `folder`, by each format's own runtime and the model by `tf.function`; {format: parity}.

    parity.json then says of each: "milliseconds" {"1": {"p50", "p95", "model"}, "8": …} for so many of the `images`
    (N, H, W, C) at once, medians and 95th percentiles; "model" is the median of the model itself in the same rounds. A
    format whose file or runtime is not there has none.
    """
    known = read_json(folder / "parity.json")
    for row in known.values():
        row.pop("milliseconds", None)
    there = [name for name, row in known.items() if name in EXPORTERS and _runs(EXPORTERS[name], folder / row["file"])]
    ways = {name: EXPORTERS[name].load(folder / known[name]["file"], head, facts) for name in there}
    asks = {name: next(iter(found.values())) for name, found in ways.items()}
    for count, times in milliseconds(asks | {None: answer(model, head)}, images).items():
        for name in there:
            own = {f"p{percent}": round(float(np.percentile(times[name], percent)), 3) for percent in (50, 95)}
            own["model"] = round(float(np.median(times[None])), 3)
            known[name].setdefault("milliseconds", {})[count] = own
    write_atomically(folder / "parity.json", json.dumps(known, indent=1) + "\n")
    return known


def milliseconds(asks, images):
    """{"1": {name: (ROUNDS,)}, "8": …}: what each of `asks` {name: function of images} takes for so many `images`."""
    found = {}
    for count in SIZES:
        batch, times = images[np.arange(count) % len(images)], {name: [] for name in asks}
        for _ in range(WARM + ROUNDS):
            for name, ask in asks.items():
                began = time.perf_counter()
                ask(batch)
                times[name].append(1000 * (time.perf_counter() - began))
        found[str(count)] = {name: np.array(each[WARM:]) for name, each in times.items()}
    return found


def _runs(exporter, path):
    return path.exists() and not exporter.absent
