"""Augmentation of pictures in memory: kcnn's stream against keras.layers, and torchvision v2 where it is installed.

    python -m tests.benchmarks augment [--rounds 5] [--batches 4] [--only randaugment] [--out augment.json]

64 pictures of 224 x 224 x 3 uint8 a batch, each side in its own parallel pipeline (torchvision: loader processes, one
a core). Rounds alternate between the sides, and each begins by emptying what its pipeline made in advance. The
figures are pictures a second, medians over rounds; the ratio is the median of the rounds' ratios.
"""

import argparse
import json
import os
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from kcnn import data  # noqa: E402
from kcnn.data.samples import Arrays, Samples, numbered  # noqa: E402
from kcnn.recipe import Augment  # noqa: E402
from tests.benchmarks import _torchvision  # noqa: E402

BATCH, SIDE, BUFFERED = 64, 224, 4
CASES = {  # name: (recipe fields, Keras's layer, torchvision's transform, least ratio to Keras wanted)
    "flip": ({"flip_horizontal": 0.5}, lambda k: k.RandomFlip("horizontal"), "v2.RandomHorizontalFlip()", None),
    "rotation": ({"rotation": 18}, lambda k: k.RandomRotation(0.05), "v2.RandomRotation(18)", 2.0),
    "colour jitter": (
        {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 18},
        lambda k: k.RandomColorJitter((0, 255), 0.4, 0.4, 0.6, 0.05),
        "v2.ColorJitter(0.4, 0.4, 0.4, 0.05)",
        8.0,
    ),
    "erasing": ({"erasing": 1.0}, lambda k: k.RandomErasing(1.0), "v2.RandomErasing(1.0)", 5.0),
    "blur": ({"blur": 2.0}, lambda k: k.RandomGaussianBlur(), "v2.GaussianBlur(9)", None),
    "sharpness": ({"sharpness": 0.9}, lambda k: k.RandomSharpness(0.5), "v2.RandomAdjustSharpness(1.5)", None),
    "perspective": ({"perspective": 0.3}, lambda k: k.RandomPerspective(), "v2.RandomPerspective(0.3)", None),
    "elastic": ({"elastic": 0.02}, lambda k: k.RandomElasticTransform(), "v2.ElasticTransform()", None),
    "randaugment": (
        {"policy": "randaugment"},
        lambda k: k.RandAugment(value_range=(0, 255), num_ops=2),
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


def kcnn_side(values, fields, batches):
    """A function () -> seconds that our training stream takes for so many batches."""
    samples = Samples(Arrays(values), np.zeros(BATCH, np.int32), numbered(BATCH))
    stream = data.batches(samples, (SIDE, SIDE, 3), BATCH, training=True, num_classes=2, augment=Augment(**fields))
    return timed(stream, batches)


def keras_side(values, make, batches):
    """The same through a Keras layer, mapped in parallel over batches."""
    layer = make(keras.layers)
    stream = tf.data.Dataset.from_tensors(values).cache().repeat()
    return timed(stream.map(lambda x: layer(x, training=True), tf.data.AUTOTUNE).prefetch(2), batches)


def timed(stream, batches):
    """A function () -> seconds for so many batches; what was made in another side's turn is drawn before."""
    drawn = iter(stream)

    def run():
        for _ in range(BUFFERED):
            next(drawn)
        began = time.perf_counter()
        for _ in range(batches):
            next(drawn)
        return time.perf_counter() - began

    return run


def measure(sides, rounds, pictures):
    """{side: pictures a second, "over SIDE": ratio of ours to it}: medians over interleaved rounds."""
    times = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, run in sides.items():
            seconds = run()
            if turn:
                times[name].append(seconds)
    found = {name: round(pictures / statistics.median(values), 1) for name, values in times.items()}
    for name in list(found)[1:]:
        ratios = [other / own for other, own in zip(times[name], times["kcnn"], strict=True)]
        found[f"over {name}"] = round(statistics.median(ratios), 2)
    return found


def main(arguments=None):
    """Print a line a case, write JSON if asked to; 0 if every ratio is as wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--only", choices=CASES, action="append")
    parser.add_argument("--out")
    given = parser.parse_args(arguments)
    values, rows = pictures(), {}
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file.name, values)
        for name in given.only or CASES:
            fields, layer, transform, wanted = CASES[name]
            sides = {"kcnn": kcnn_side(values, fields, given.batches)}
            sides |= {"keras": keras_side(values, layer, given.batches)} if layer else {}
            torch = _torchvision.start(transform=transform, values=file.name, batch=BATCH, batches=given.batches)
            sides |= {"torchvision": torch} if torch else {}
            rows[name] = measure(sides, given.rounds, BATCH * given.batches) | {"wanted": wanted}
            if torch:
                torch.stop()
            missing = [] if torch else [_torchvision.MISSING]
            print(f"{name:16s}", "  ".join([f"{k} {v}" for k, v in rows[name].items()] + missing), flush=True)
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump({"batch": BATCH, "side": SIDE, "tensorflow": tf.__version__, "rows": rows}, file, indent=1)
    return int(any(row["wanted"] and row["over keras"] < row["wanted"] for row in rows.values() if "over keras" in row))


if __name__ == "__main__":
    raise SystemExit(main())
