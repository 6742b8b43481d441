"""Answers a second: the function that kcnn exports against stock `model.predict`, and against PyTorch.

    python -m tests.benchmarks inference [--rounds 7] [--only resnet50] [--out inference.json]

224 px, batches of 1 and 8, float32, medians over interleaved rounds. PyTorch runs in a process of its own, which stands
still while another side is timed, compiled by nothing, in inference mode and channels last.
"""

import argparse
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tests.benchmarks import _serving  # noqa: E402

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


def repeated(act):
    """A side in this process that calls `act` so many times."""

    def run(times):
        for _ in range(times):
            act()

    return _serving.here(run)


def measure(name, count, rounds):
    """{"kcnn", "stock", "torch": pictures a second, "ratios": {peer: ratio}, "lacks": what PyTorch's side does}."""
    import numpy as np

    images = np.random.default_rng(0).uniform(0, 255, (count, SIDE, SIDE, 3)).astype("float32")
    sides = {"kcnn": repeated(ours(name, images)), "stock": repeated(stock(name, images))}
    with _serving.side("_torch_answers", {"name": name, "side": SIDE, "batch": count}) as (torch, way):
        times = _serving.in_turns(sides | ({"torch": torch} if torch else {}), rounds, 1)
    speeds = {side: round(_serving.speed(spent, count), 1) for side, spent in times.items()}
    ratios = {side: round(_serving.ratio(times[side], times["kcnn"]), 2) for side in times if side != "kcnn"}
    return speeds | {"ratios": ratios, "lacks": None if torch else way}


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
            missing = f"; torch is missing: {row['lacks']}" if row["lacks"] else ""
            print(f"{name}, batch {count}: {row['kcnn']} pictures/s, ratios {row['ratios']}{missing}", flush=True)
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump({"image": SIDE, "rows": found}, file, indent=1)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
