"""A picture of 3000×2000 places is answered in tiles: in little memory, and as the network answers the whole of it."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import kcnn
from kcnn.data.scenes import all_scenes
from kcnn.processor import SWITCH

MOST = 2 << 30  # bytes at most, above those that the loaded model holds
BORDER = 64  # places, where tiles are filled up otherwise than the whole picture
LOOK = """
import json, resource, sys
import numpy as np
import kcnn
from kcnn.answers import masks
run, picture, told, most = sys.argv[1:]
masks.MOST_WHOLE = int(most) or masks.MOST_WHOLE
run = kcnn.load_run(run)
run.predict(np.zeros((64, 64, 1), np.uint8))
before = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
np.save(told, run.predict(np.load(picture))["mask"])
print(json.dumps(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A U-Net on ResNet-18 that has seen windows of digit scenes for a little while."""
    settings = {"data.framing": "native", "data.image_size": 64, "data.limit": 320, "train.epochs": 3, "batch_size": 16}
    options = {"objective": "cross_entropy+dice", "filters": [64, 32, 32, 32], "stride": 2}
    folder = tmp_path_factory.mktemp("runs")
    return kcnn.build_and_fit_segmenter(
        "builtin:digit-scenes", "resnet18", head_options=options, learning_rate=2e-3, stem="standard",
        **settings, **{"runtime.runs": str(folder)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def picture():
    """uint8 (2000, 3000, 1): scenes with digits side by side."""
    images = all_scenes()["test"].images
    rows = [np.concatenate(images[np.arange(start, start + 32) % len(images)], 1) for start in range(0, 21 * 9, 9)]
    return np.concatenate(rows, 0)[:2000, :3000]


def answered(run, folder, whole=False):
    """(mask, bytes above the model) of folder/picture.npy by a process of its own, in tiles or in one piece.

    In one piece it goes without oneDNN, which on some processors takes minutes for so large a map.
    """
    place = folder / f"{'whole' if whole else 'tiled'}.npy"
    words = [sys.executable, "-c", LOOK, run.path, folder / "picture.npy", place, 1 << 30 if whole else 0]
    kernels = {SWITCH: "0"} if whole else {}
    made = subprocess.run(
        list(map(str, words)), env=os.environ | kernels, check=True, stdout=subprocess.PIPE, text=True
    )
    return np.load(place), json.loads(made.stdout.splitlines()[-1])


@pytest.mark.slow
def test_a_large_picture_is_answered_in_tiles_as_a_whole_and_in_little_memory(run, picture, tmp_path):
    np.save(tmp_path / "picture.npy", picture)
    tiled, memory = answered(run, tmp_path)
    whole, _ = answered(run, tmp_path, whole=True)
    inside = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    assert tiled.shape == whole.shape == (2000, 3000) and len(np.unique(whole)) > 2
    apart = (tiled != whole)[inside].mean()
    print(f"{memory / 2**20:.0f} MiB above the model, {apart:.4%} of the places differ")
    assert apart < 0.005 and memory < MOST
