"""One training step: kcnn's engine against stock Keras with `fit`, and against PyTorch at its best.

    python -m tests.benchmarks train_step [--rounds 5] [--steps 3] [--out train_step.json] [--only mobilenet_v2]

128 px, batch 16, SGD with momentum, one repeated batch. kcnn trains in the precision that it measures to be faster;
PyTorch in the best of float32 and bfloat16, each with and without channels last. Rounds alternate between the sides,
so that what else the machine does meets all; the figures are medians over the rounds. Run it on an idle machine: where
other programs hold the cores, ratios of wall times sink towards those of processor times, which are printed beside
them. A stock ResNeXt-50 step takes minutes, so that row has two rounds of one step.
"""

import argparse
import itertools
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
from kcnn.training import Engine, precision, runtime  # noqa: E402
from tests.benchmarks import _torch_step  # noqa: E402

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


# name: (stock builder or None, torchvision's name or None, {peer: least ratio wanted}); a SLOW one has few rounds.
CASES = {
    "resnet50_v1": (applications(keras.applications.ResNet50), None, {"stock": 3.2}),
    "resnet50": (None, "resnet50", {"torch": 1.7}),
    "mobilenet_v2": (applications(keras.applications.MobileNetV2), "mobilenet_v2", {"stock": 1.45, "torch": 1.2}),
    "resnext50_32x4d": (same_graph_of_stock_layers("resnext50_32x4d"), "resnext50_32x4d", {"stock": 5.0}),
}
SLOW = {"resnext50_32x4d"}


class Ours:
    """Our training steps of one network in one precision."""

    def __init__(self, name, policy, x, y):
        head = head_of("classifier", num_classes=CLASSES)
        with runtime.precision(mock.Mock(deterministic=False, precision=policy)):
            model = build_model(name, head, input_shape=SHAPE, stem="standard")
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
        optimizer.build(model.trainable_variables)
        self.engine = Engine(model, head, optimizer)
        self.batch = {"image": tf.constant(x), "label": tf.constant(y), "weight": tf.ones(BATCH)}

    def __call__(self, steps):
        for step in range(steps):
            sums, _ = self.engine.train_step(self.batch, tf.constant(0.01), tf.constant(step))
        return sums.numpy()


def kcnn_side(name, x, y):
    """(a function (steps) that runs so many of our steps, the precision measured to be faster)."""
    weights = {}

    def prepare(policy):
        ours = Ours(name, policy, x, y)
        for own, first in zip(ours.engine.model.variables, weights.setdefault("first", ours).engine.model.variables,
                              strict=True):  # fmt: skip
            own.assign(first)
        return ours

    chosen, seen = precision.settle(10**6, prepare, lambda: itertools.repeat(weights["first"].batch), 0.01)
    return chosen, seen["chosen"]


def stock_side(build, x, y):
    """A function (steps) that runs so many steps of `fit`."""
    model = build()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss, metrics=["accuracy"])
    data = tf.data.Dataset.from_tensors((x, y)).repeat()
    return lambda steps: model.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0)


def timed(run):
    """A function (steps) -> (seconds, processor seconds) of `run`."""

    def measured(steps):
        began, worked = time.perf_counter(), time.process_time()
        run(steps)
        return time.perf_counter() - began, time.process_time() - worked

    return measured


def measure(name, rounds, steps):
    """A row: images/s of each side, how it was run, and ratios with those wanted; medians over interleaved rounds."""
    rounds, steps = (min(rounds, 2), 1) if name in SLOW else (rounds, steps)
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 255, (BATCH, *SHAPE)).astype("float32")
    y = rng.integers(0, CLASSES, BATCH).astype("int32")
    build, theirs, wanted = CASES[name]
    sides, ways = {}, {}
    ours, ways["kcnn"] = kcnn_side(name, x, y)
    sides["kcnn"] = timed(ours)
    if build:
        sides["stock"] = timed(stock_side(build, x, y))
    if theirs:
        found = _torch_step.start(name=theirs, side=SIDE, batch=BATCH)
        ways["torch"] = found[1] if found else "not installed"
        if found:
            sides["torch"] = found[0]
    times, processor = {side: [] for side in sides}, {side: [] for side in sides}
    for turn in range(rounds + 1):
        for side, run in sides.items():
            seconds, worked = run(steps if turn else 1)
            if turn:
                times[side].append(seconds / steps)
                processor[side].append(worked / steps)
    speeds = {side: round(BATCH / statistics.median(values), 2) for side, values in times.items()}
    ratios = {
        peer: {"ratio": _ratio(times, peer), "of_processor": _ratio(processor, peer), "wanted": wanted.get(peer)}
        for peer in sides
        if peer != "kcnn"
    }
    return {"images_per_second": speeds, "ways": ways, "ratios": ratios}


def _ratio(times, peer):
    return round(statistics.median(slow / fast for slow, fast in zip(times[peer], times["kcnn"], strict=True)), 3)


def main(arguments=None):
    """Print the rows, write JSON if asked to; 0 if every ratio is as wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--only", choices=CASES, action="append")
    parser.add_argument("--out")
    given = parser.parse_args(arguments)
    found, missed = {}, False
    for name in given.only or CASES:
        found[name] = row = measure(name, given.rounds, given.steps)
        print(name, *(f"{side} {speed} img/s" for side, speed in row["images_per_second"].items()), sep="   ")
        for side, way in row["ways"].items():
            print(f"  {side}: {way}")
        for peer, ratio in row["ratios"].items():
            missed |= bool(ratio["wanted"]) and ratio["ratio"] < ratio["wanted"]
            print(f"  against {peer}: {ratio['ratio']:.2f}x ({ratio['of_processor']:.2f}x in processor time)", end="")
            print(f", wanted {ratio['wanted']}x" if ratio["wanted"] else "", flush=True)
        keras.utils.clear_session()
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump({"image": SIDE, "batch": BATCH, "tensorflow": tf.__version__, "rows": found}, file, indent=1)
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
