"""Answers a second: the function that kcnn exports against stock `model.predict`, and against PyTorch.

    python -m tests.benchmarks inference [--rounds 7] [--only resnet50] [--out inference.json]

224 px, batches of 1 and 8, float32, medians over interleaved rounds. PyTorch runs in a process of its own, compiled by
nothing, in inference mode and channels last.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SIDE, BATCHES = 224, (1, 8)
CASES = {"resnet50": "ResNet50", "mobilenet_v2": "MobileNetV2"}  # ours, as torchvision's: keras.applications'


def ours(name, images):
    """A function () -> answers of our network as the SavedModel computes them."""
    import tensorflow as tf

    from kcnn.models import build_model

    model = build_model(name, input_shape=(SIDE, SIDE, 3), num_classes=1000)
    answer = tf.function(lambda x: model(x, training=False), autograph=False)
    images = tf.constant(images)
    return lambda: answer(images).numpy()


def stock(name, images):
    """A function () -> answers of keras.applications by `predict`."""
    import keras

    model = getattr(keras.applications, CASES[name])(weights=None, classifier_activation=None)
    return lambda: model.predict(images, verbose=0)


def in_torch(name, count):
    """A function () -> seconds that PyTorch takes for `count` pictures; None where it is not installed."""
    child = subprocess.Popen(
        [sys.executable, "-c", TORCH, name, str(count), str(SIDE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    if child.stdout.readline().strip() != "ready":
        return None

    def run():
        child.stdin.write("go\n")
        child.stdin.flush()
        return float(child.stdout.readline())

    return run


TORCH = """
import sys, time, torch, torchvision
name, count, side = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model = getattr(torchvision.models, name)().eval().to(memory_format=torch.channels_last)
images = torch.rand(count, 3, side, side).contiguous(memory_format=torch.channels_last)
with torch.inference_mode():
    model(images)
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        model(images)
        print(time.perf_counter() - began, flush=True)
"""


def clocked(act):
    """A function () -> seconds that `act` takes."""

    def run():
        began = time.perf_counter()
        act()
        return time.perf_counter() - began

    return run


def measure(name, count, rounds):
    """{"kcnn", "stock", "torch": pictures a second, "ratios": {peer: ratio}}, medians over interleaved rounds."""
    import numpy as np

    images = np.random.default_rng(0).uniform(0, 255, (count, SIDE, SIDE, 3)).astype("float32")
    sides = {"kcnn": clocked(ours(name, images)), "stock": clocked(stock(name, images)), "torch": in_torch(name, count)}
    sides = {side: run for side, run in sides.items() if run}
    times = {side: [] for side in sides}
    for turn in range(rounds + 1):
        for side, run in sides.items():
            seconds = run()
            if turn:
                times[side].append(seconds)
    ratios = {
        side: round(statistics.median(a / b for a, b in zip(times[side], times["kcnn"], strict=True)), 2)
        for side in sides
        if side != "kcnn"
    }
    return {side: round(count / statistics.median(values), 1) for side, values in times.items()} | {"ratios": ratios}


def main(arguments=None):
    """Print a line a network and batch, write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=CASES, action="append")
    parser.add_argument("--out")
    given = parser.parse_args(arguments)
    found = {}
    for name in given.only or CASES:
        for count in BATCHES:
            found[f"{name} batch {count}"] = row = measure(name, count, given.rounds)
            missing = "" if "torch" in row else "; PyTorch is not installed"
            print(f"{name}, batch {count}: {row['kcnn']} pictures/s, ratios {row['ratios']}{missing}", flush=True)
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump({"image": SIDE, "rows": found}, file, indent=1)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
