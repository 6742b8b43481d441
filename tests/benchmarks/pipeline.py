"""From JPEG files to batches: kcnn's stream against torchvision v2 and PIL with as many loader processes as cores.

    python -m tests.benchmarks pipeline [--rounds 5] [--batches 4] [--only randaugment] [--out pipeline.json]

64 photographs a batch, windows of two that scikit-learn carries enlarged to about 500 x 375, random resized crops to
224 px. Rounds alternate between the sides; figures are pictures a second, medians over rounds.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from kcnn import data
from kcnn.data.samples import DataSet, Files, Samples, as_strings, numbered
from kcnn.recipe import Augment, Data
from tests.benchmarks import _torchvision
from tests.benchmarks.augment import BATCH, SIDE, measure, timed

CROP = {"crop_area": (0.08, 1.0), "flip_horizontal": 0.5}
FIRST = f"v2.RandomResizedCrop({SIDE}), v2.RandomHorizontalFlip()"
CASES = {  # name: (recipe fields, torchvision's transforms, least ratio to torchvision wanted)
    "crop and flip": (CROP, FIRST, 1.7),
    "colour jitter": (
        CROP | {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 18},
        f"{FIRST}, v2.ColorJitter(0.4, 0.4, 0.4, 0.05)",
        None,
    ),
    "randaugment": (CROP | {"policy": "randaugment"}, f"{FIRST}, v2.RandAugment()", 0.95),
    "trivialaugment": (CROP | {"policy": "trivialaugment"}, f"{FIRST}, v2.TrivialAugmentWide()", None),
}


def photographs(folder):
    """Paths of so many JPEGs as a batch has, of about 500 x 375 pixels."""
    from sklearn.datasets import load_sample_image

    photos = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    rng = np.random.default_rng(0)
    for i in range(BATCH):
        y, x = rng.integers(0, [427 - 300, 640 - 400])
        Image.fromarray(photos[i % 2][y : y + 300, x : x + 400]).resize((500, 375)).save(
            folder / f"{i}.jpg", quality=90
        )
    return [str(folder / f"{i}.jpg") for i in range(BATCH)]


def kcnn_side(paths, fields, batches):
    """A function () -> seconds that our training stream takes for so many batches."""
    samples = Samples(Files(as_strings(paths)), np.arange(len(paths), dtype=np.int32) % 2, numbered(len(paths)))
    checked = data.check(DataSet({"train": samples}, ("a", "b"), False, "files"), Data()).splits["train"]
    stream = data.batches(checked, (SIDE, SIDE, 3), BATCH, training=True, num_classes=2, augment=Augment(**fields))
    return timed(stream, batches)


def main(arguments=None):
    """Print a line a case, write JSON if asked to; 0 if every ratio is as wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--only", choices=CASES, action="append")
    parser.add_argument("--out")
    given, rows = parser.parse_args(arguments), {}
    with tempfile.TemporaryDirectory() as folder:
        paths = photographs(Path(folder))
        for name in given.only or CASES:
            fields, transforms, wanted = CASES[name]
            sides = {"kcnn": kcnn_side(paths, fields, given.batches)}
            wish = {"transform": f"v2.Compose([{transforms}])", "files": paths, "batch": BATCH}
            torch = _torchvision.start(**wish, batches=given.batches)
            sides |= {"torchvision": torch} if torch else {}
            rows[name] = measure(sides, given.rounds, BATCH * given.batches) | {"wanted": wanted}
            if torch:
                torch.stop()
            missing = [] if torch else [_torchvision.MISSING]
            print(f"{name:16s}", "  ".join([f"{k} {v}" for k, v in rows[name].items()] + missing), flush=True)
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump({"batch": BATCH, "side": SIDE, "tensorflow": tf.__version__, "rows": rows}, file, indent=1)
    known = [row for row in rows.values() if row["wanted"] and "over torchvision" in row]
    return int(any(row["over torchvision"] < row["wanted"] for row in known))


if __name__ == "__main__":
    raise SystemExit(main())
