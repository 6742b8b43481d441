"""A training step of a U-Net: kcnn's against that of segmentation_models.pytorch, both on ResNet-18.

    python -m tests.benchmarks segmentation [--rounds 5] [--steps 2] [--out segmentation.json] [--only "same filters"]

160 px, batch 16, AdamW, cross-entropy of nine classes, float32, one repeated batch. "same filters": the decoder has
theirs, 256 to 16; "recipe": that of recipes/segment/stamps.toml. Rounds alternate between the sides, of which the
other one stands still meanwhile; the figures are medians.
"""

import argparse
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from kcnn.models import build_model, head_of  # noqa: E402
from kcnn.recipe import read  # noqa: E402
from kcnn.resources import find_recipe  # noqa: E402
from kcnn.training import Engine  # noqa: E402
from tests.benchmarks import _serving  # noqa: E402

SIDE, BATCH, CLASSES, ENCODER = 160, 16, 9, "resnet18"
CASES = {
    "same filters": lambda: {"filters": (256, 128, 64, 32, 16)},
    "recipe": lambda: read(find_recipe("segment/stamps")).model.head_options,
}


def our_side(options):
    """A function (steps) that runs so many of our steps with the U-Net of these `options`."""
    head = head_of("unet", num_classes=CLASSES, **options)
    model = build_model(ENCODER, head, input_shape=(SIDE, SIDE, 3), stem="standard")
    optimizer = keras.optimizers.AdamW(1e-3)
    optimizer.build(model.trainable_variables)
    engine, rng = Engine(model, head, optimizer), np.random.default_rng(0)
    mask = rng.integers(0, CLASSES, (BATCH, SIDE, SIDE), np.uint8)
    image = rng.uniform(0, 255, (BATCH, SIDE, SIDE, 3)).astype("float32")
    batch = {"image": tf.constant(image), "mask": tf.constant(mask), "weight": tf.ones(BATCH)}

    def run(steps):
        for step in range(steps):
            sums, _ = engine.train_step(batch, tf.constant(1e-3), tf.constant(step))
        return sums.numpy()

    return run


def measure(name, rounds, steps):
    """A row: images/s of each side, how the other one ran, and the ratios of clock and processor times."""
    sides = {"kcnn": _serving.here(our_side(CASES[name]()))}
    wish = {"encoder": ENCODER, "side": SIDE, "batch": BATCH, "classes": CLASSES}
    with _serving.side("_torch_unet", wish) as (theirs, way):
        sides |= {"smp": theirs} if theirs else {}
        times = _serving.in_turns(sides, rounds, steps)
    row = {"images_per_second": {k: round(_serving.speed(spent, BATCH * steps), 2) for k, spent in times.items()}}
    if theirs:
        fields = {"ratio": "seconds", "of_processor": "processor"}
        row |= {key: round(_serving.ratio(times["smp"], times["kcnn"], field), 3) for key, field in fields.items()}
    return row | {"smp": way}


def main(arguments=None):
    """Print the rows and write JSON if asked to; 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--only", choices=CASES, action="append")
    parser.add_argument("--out")
    given = parser.parse_args(arguments)
    found = {}
    for name in given.only or CASES:
        found[name] = row = measure(name, given.rounds, given.steps)
        print(name, *(f"{side} {speed} img/s" for side, speed in row["images_per_second"].items()), sep="   ")
        ratios = f"{row['ratio']:.2f}x ({row['of_processor']:.2f}x in processor time)" if "ratio" in row else "none"
        print(f"  over segmentation_models.pytorch: {ratios}; {row['smp']}", flush=True)
        keras.utils.clear_session()
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump({"image": SIDE, "batch": BATCH, "tensorflow": tf.__version__, "rows": found}, file, indent=1)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
