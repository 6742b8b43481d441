"""One training step: kcnn's model through kcnn's engine against the same graph of stock Keras layers with `fit`.

    python -m tests.benchmarks.train_step [--rounds 5] [--steps 3] [--out train_step.json] [--only mobilenet_v2]

128 px, batch 16, float32, SGD with momentum, one repeated batch. Rounds alternate between the two sides, so that what
else the machine does meets both; the figures are medians over the rounds. Run it on an idle machine: where other
programs hold the cores, the ratio of wall times sinks towards that of processor times, which is printed beside it.
A stock ResNeXt-50 step takes minutes, so that row has two rounds of one step.
"""

import argparse
import json
import os
import statistics
import time
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from kcnn.layers import convolution, normalization  # noqa: E402
from kcnn.models import build_model, head_of  # noqa: E402
from kcnn.training.engine import Engine  # noqa: E402

SIDE, BATCH, CLASSES = 128, 16, 1000
SHAPE = (SIDE, SIDE, 3)


def applications(make):
    """A builder of the keras.applications model `make`, ending in logits."""
    return lambda: make(weights=None, input_shape=SHAPE, classes=CLASSES, classifier_activation=None)


def same_graph_of_stock_layers(name):
    """A builder of our own graph with Keras's own normalisation and grouped convolution."""

    def build():
        with (
            mock.patch.object(normalization, "FusedBatchNormalization", keras.layers.BatchNormalization),
            mock.patch.object(convolution, "GROUPED", convolution.PLAIN),
        ):
            return build_model(name, input_shape=SHAPE, num_classes=CLASSES, stem="standard")

    return build


# name: (stock builder, least ratio wanted); a SLOW one has few and short rounds.
CASES = {
    "resnet50_v1": (applications(keras.applications.ResNet50), 2.0),
    "mobilenet_v2": (applications(keras.applications.MobileNetV2), 1.45),
    "resnext50_32x4d": (same_graph_of_stock_layers("resnext50_32x4d"), 5.0),
}
SLOW = {"resnext50_32x4d"}


def kcnn_side(name, x, y):
    """A function (steps) that runs so many of our training steps."""
    head = head_of("classifier", num_classes=CLASSES)
    model = build_model(name, head, input_shape=SHAPE, stem="standard")
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    optimizer.build(model.trainable_variables)
    engine = Engine(model, head, optimizer)
    batch = {"image": tf.constant(x), "label": tf.constant(y), "weight": tf.ones(BATCH)}

    def run(steps):
        for step in range(steps):
            sums, _ = engine.train_step(batch, tf.constant(0.01), tf.constant(step))
        return sums.numpy()

    return run


def stock_side(build, x, y):
    """A function (steps) that runs so many steps of `fit`."""
    model = build()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss, metrics=["accuracy"])
    data = tf.data.Dataset.from_tensors((x, y)).repeat()
    return lambda steps: model.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0)


def measure(name, rounds, steps):
    """{"kcnn": images/s, "stock": images/s, "ratio", "processor_ratio", "wanted"}: medians over interleaved rounds."""
    rounds, steps = (min(rounds, 2), 1) if name in SLOW else (rounds, steps)
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 255, (BATCH, *SHAPE)).astype("float32")
    y = rng.integers(0, CLASSES, BATCH).astype("int32")
    build, wanted = CASES[name]
    sides = {"kcnn": kcnn_side(name, x, y), "stock": stock_side(build, x, y)}
    times, processor = {side: [] for side in sides}, {side: [] for side in sides}
    for turn in range(rounds + 1):
        for side, run in sides.items():
            began, worked = time.perf_counter(), time.process_time()
            run(steps if turn else 1)
            if turn:
                times[side].append((time.perf_counter() - began) / steps)
                processor[side].append((time.process_time() - worked) / steps)
    seconds = {side: statistics.median(values) for side, values in times.items()}
    ratio, of_processor = (
        statistics.median(slow / fast for slow, fast in zip(both["stock"], both["kcnn"], strict=True))
        for both in (times, processor)
    )
    speeds = {side: round(BATCH / value, 2) for side, value in seconds.items()}
    return {**speeds, "ratio": round(ratio, 3), "processor_ratio": round(of_processor, 3), "wanted": wanted}


def main(arguments=None):
    """Print a line a network, write JSON if asked to; 0 if every ratio is as wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--only", choices=CASES, action="append")
    parser.add_argument("--out")
    given = parser.parse_args(arguments)
    found = {}
    for name in given.only or CASES:
        found[name] = row = measure(name, given.rounds, given.steps)
        print(
            f"{name:18s} kcnn {row['kcnn']:7.1f} img/s   stock {row['stock']:7.1f} img/s   {row['ratio']:.2f}x", end=""
        )
        print(f" ({row['processor_ratio']:.2f}x in processor time)", end="")
        print(f"   (wanted {row['wanted']}x: {'yes' if row['ratio'] >= row['wanted'] else 'NO'})", flush=True)
        keras.utils.clear_session()
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump({"image": SIDE, "batch": BATCH, "tensorflow": tf.__version__, "rows": found}, file, indent=1)
    return int(any(row["ratio"] < row["wanted"] for row in found.values()))


if __name__ == "__main__":
    raise SystemExit(main())
