"""From JPEG files to batches: kcnn's stream against torchvision v2 and PIL with as many loader processes as cores.

    python -m tests.benchmarks pipeline [--rounds 5] [--batches 24] [--only randaugment] [--out pipeline.json]

64 photographs a batch, windows of two that scikit-learn carries enlarged to about 500 x 375, random resized crops to
224 px. Sides, rounds and figures are as in augment.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.benchmarks.augment import BATCH, SIDE, measure, missed, told

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


def main(arguments=None):
    """Print a line a case, write JSON if asked to; 0 if every ratio is as wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=24)
    parser.add_argument("--only", choices=CASES, action="append")
    parser.add_argument("--out")
    given, rows = parser.parse_args(arguments), {}
    with tempfile.TemporaryDirectory() as folder:
        paths = photographs(Path(folder))
        for name in given.only or CASES:
            fields, transforms, wanted = CASES[name]
            shared = {"files": paths, "batch": BATCH, "side": SIDE}
            wishes = {
                "kcnn": ("_streams", shared | {"kind": "kcnn", "augment": fields}),
                "torchvision": ("_torchvision", shared | {"transform": f"v2.Compose([{transforms}])"}),
            }
            rows[name] = measure(wishes, given, wanted)
            print(told(name, rows[name]), flush=True)
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump({"batch": BATCH, "side": SIDE, "rows": rows}, file, indent=1)
    return int(missed(rows, "torchvision"))


if __name__ == "__main__":
    raise SystemExit(main())
