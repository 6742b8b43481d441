"""One training step: kcnn's engine against stock Keras with `fit`, and against PyTorch at its best.

    python -m tests.benchmarks train_step [--rounds 5] [--steps 3] [--out train_step.json] [--only mobilenet_v2]

128 px, batch 16, SGD with momentum, one repeated batch. kcnn trains in the precision that it measures to be faster;
PyTorch in the best of float32 and bfloat16, each with and without channels last. Rounds alternate between the sides,
so that what else the machine does meets all; the figures are medians over the rounds. Run it on an idle machine: where
other programs hold the cores, ratios of wall times sink towards those of processor times, which are printed beside
them. Steps of grouped convolution by stock Keras take minutes, so those rows have two rounds of one step.

Beside the speeds stand the FLOP/s that they are, counted as two a multiply-add and three of those (forward, and both
gradients) for each of the forward pass, and what one float32 product of 2048 x 2048 matrices reaches in the same
rounds: what is near it in float32 can hardly be faster on a machine that has no bfloat16.
"""

import argparse
import itertools
import json
import os
from contextlib import nullcontext
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from kcnn.inspection import multiply_adds  # noqa: E402
from kcnn.layers import convolution, normalization  # noqa: E402
from kcnn.models import build_model, head_of  # noqa: E402
from kcnn.training import Engine, precision, runtime  # noqa: E402
from tests.benchmarks import _serving  # noqa: E402

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
    "regnety_004": (same_graph_of_stock_layers("regnety_004"), None, {"stock": 5.0}),
}
SLOW = {"resnext50_32x4d", "regnety_004"}
PRODUCT = 2048  # side of the matrices whose product is the measure of this machine


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


def product_side():
    """A function (times) that multiplies two large float32 matrices so many times."""
    one, other = (tf.random.normal([PRODUCT, PRODUCT]) for _ in range(2))

    def run(times):
        for _ in range(times):
            answer = tf.linalg.matmul(one, other)
        return answer.numpy()

    return run


def measure(name, rounds, steps):
    """A row: images/s and FLOP/s of each side, how it was run, and ratios with those wanted; medians over rounds."""
    rounds, steps = (min(rounds, 2), 1) if name in SLOW else (rounds, steps)
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 255, (BATCH, *SHAPE)).astype("float32")
    y = rng.integers(0, CLASSES, BATCH).astype("int32")
    build, theirs, wanted = CASES[name]
    ours, precision_of_ours = kcnn_side(name, x, y)
    acts = {"kcnn": ours} | ({"stock": stock_side(build, x, y)} if build else {}) | {"product": product_side()}
    sides, ways = {side: _serving.here(act) for side, act in acts.items()}, {"kcnn": precision_of_ours}
    wish = {"name": theirs, "side": SIDE, "batch": BATCH}
    with _serving.side("_torch_step", wish) if theirs else nullcontext((None, None)) as (torch, way):
        sides, ways = sides | ({"torch": torch} if torch else {}), ways | ({"torch": way} if way else {})
        times = _serving.in_turns(sides, rounds, steps)
    return row_of(times, steps, 6 * BATCH * multiply_adds(ours.engine.model), ways, wanted)


def row_of(times, steps, work, ways, wanted):
    """The row of {side: [Spent]} of so many steps, each of `work` FLOP."""
    product = times.pop("product")
    speeds = {side: round(_serving.speed(spent, BATCH * steps), 2) for side, spent in times.items()}
    reached = {side: round(_serving.speed(spent, work * steps) / 1e9, 1) for side, spent in times.items()}
    reached["product"] = round(_serving.speed(product, 2 * PRODUCT**3 * steps) / 1e9, 1)
    ratios = {
        peer: {
            "ratio": round(_serving.ratio(times[peer], times["kcnn"]), 3),
            "of_processor": round(_serving.ratio(times[peer], times["kcnn"], "processor"), 3),
            "wanted": wanted.get(peer),
        }
        for peer in times
        if peer != "kcnn"
    }
    work = {"gflop_of_a_step": round(work / 1e9, 1), "gflop_per_second": reached}
    return {"images_per_second": speeds, **work, "ways": ways, "ratios": ratios}


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
        reached = ", ".join(f"{side} {rate}" for side, rate in row["gflop_per_second"].items())
        print(f"  a step is {row['gflop_of_a_step']} GFLOP; reached, a second: {reached}")
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
