"""Augmentation of pictures in memory: kcnn's stream against keras.layers, and torchvision v2 where it is installed.

    python -m tests.benchmarks augment [--rounds 5] [--batches 24] [--only randaugment] [--out augment.json]

64 pictures of 224 x 224 x 3 uint8 a batch, each side in its own parallel pipeline (torchvision: loader processes, one
a core) and in its own process, which stands still while another is timed. Rounds alternate between the sides, and each
begins with untimed batches, so that all are timed while they work as fast as they are drawn from. The figures are
pictures a second, medians over rounds; the ratio is the median of the rounds' ratios.
"""

import argparse
import json
import tempfile
from contextlib import ExitStack

import numpy as np

from tests.benchmarks import _serving

BATCH, SIDE, UNTIMED = 64, 224, 8
CASES = {  # name: (recipe fields, Keras's layer or None, torchvision's transform, least ratio to Keras wanted)
    "flip": ({"flip_horizontal": 0.5}, "RandomFlip('horizontal')", "v2.RandomHorizontalFlip()", None),
    "rotation": ({"rotation": 18}, "RandomRotation(0.05)", "v2.RandomRotation(18)", 2.0),
    "colour jitter": (
        {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 18},
        "RandomColorJitter((0, 255), 0.4, 0.4, 0.6, 0.05)",
        "v2.ColorJitter(0.4, 0.4, 0.4, 0.05)",
        8.0,
    ),
    "erasing": ({"erasing": 1.0}, "RandomErasing(1.0)", "v2.RandomErasing(1.0)", 5.0),
    "blur": ({"blur": 2.0}, "RandomGaussianBlur()", "v2.GaussianBlur(9)", None),
    "sharpness": ({"sharpness": 0.9}, "RandomSharpness(0.5)", "v2.RandomAdjustSharpness(1.5)", None),
    "perspective": ({"perspective": 0.3}, "RandomPerspective()", "v2.RandomPerspective(0.3)", None),
    "elastic": ({"elastic": 0.02}, "RandomElasticTransform()", "v2.ElasticTransform()", None),
    "randaugment": (
        {"policy": "randaugment"},
        "RandAugment(value_range=(0, 255), num_ops=2)",
        "v2.RandAugment()",
        15.0,
    ),
    "trivialaugment": ({"policy": "trivialaugment"}, None, "v2.TrivialAugmentWide()", None),
    "autoaugment": ({"policy": "autoaugment_imagenet"}, None, "v2.AutoAugment()", None),
}  # fmt: skip


def pictures():
    """uint8 (64, 224, 224, 3): windows of two photographs."""
    from sklearn.datasets import load_sample_image

    photos = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    places = np.random.default_rng(0).integers(0, [427 - SIDE, 640 - SIDE], (BATCH, 2))
    return np.stack([photos[i % 2][y : y + SIDE, x : x + SIDE] for i, (y, x) in enumerate(places)])


def measure(wishes, given, wanted):
    """A row of the sides in `wishes`, {name: (module, wish)}: medians over interleaved rounds.

    It holds {name: pictures a second, "over NAME": ratio of ours to it, "wanted", "ways": {name: in words}}.
    """
    with ExitStack() as sides:
        found = {name: sides.enter_context(_serving.side(*wish)) for name, wish in wishes.items()}
        runs = {name: run for name, (run, _) in found.items() if run}
        times = _serving.in_turns(runs, given.rounds, given.batches, UNTIMED)
    row = {name: round(_serving.speed(spent, BATCH * given.batches), 1) for name, spent in times.items()}
    row |= {f"over {name}": round(_serving.ratio(times[name], times["kcnn"]), 2) for name in times if name != "kcnn"}
    return row | {"wanted": wanted, "ways": {name: way for name, (_, way) in found.items()}}


def told(name, row):
    """A row as one line, with what its sides lack."""
    figures = [f"{key} {value}" for key, value in row.items() if key != "ways"]
    missing = [f"{side} is missing: {way}" for side, way in row["ways"].items() if side not in row]
    return "  ".join([f"{name:16s}", *figures, *missing])


def missed(rows, peer):
    """Whether a ratio to `peer` is less than wanted."""
    return any(row["wanted"] and row.get(f"over {peer}", row["wanted"]) < row["wanted"] for row in rows.values())


def main(arguments=None):
    """Print a line a case, write JSON if asked to; 0 if every ratio is as wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=24)
    parser.add_argument("--only", choices=CASES, action="append")
    parser.add_argument("--out")
    given = parser.parse_args(arguments)
    rows = {}
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file.name, pictures())
        shared = {"values": file.name, "batch": BATCH, "side": SIDE}
        for name in given.only or CASES:
            fields, layer, transform, wanted = CASES[name]
            wishes = {"kcnn": ("_streams", shared | {"kind": "kcnn", "augment": fields})}
            if layer:
                wishes["keras"] = ("_streams", shared | {"kind": "keras", "layer": layer})
            wishes["torchvision"] = ("_torchvision", shared | {"transform": transform})
            rows[name] = measure(wishes, given, wanted)
            print(told(name, rows[name]), flush=True)
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump({"batch": BATCH, "side": SIDE, "rows": rows}, file, indent=1)
    return int(missed(rows, "keras"))


if __name__ == "__main__":
    raise SystemExit(main())
