"""A picture of 3000×2000 places is answered in tiles: in little memory, and as the network answers the whole of it."""

import json
import subprocess
import sys

import numpy as np
import pytest

import kcnn
from kcnn.answers import masks as mask_answers
from kcnn.data.scenes import all_scenes

MOST = 2 << 30  # bytes above those with the model loaded
BORDER = 64  # places, where tiles are filled up otherwise than the whole picture
LOOK = """
import json, resource, sys
import numpy as np
import kcnn
run = kcnn.load_run(sys.argv[1])
run.predict(np.zeros((64, 64, 1), np.uint8))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
answer = run.predict(np.load(sys.argv[2]))
np.save(sys.argv[3], answer["mask"])
print(json.dumps(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)))
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


@pytest.mark.slow
def test_a_large_picture_is_answered_in_tiles_as_a_whole_and_in_little_memory(run, picture, tmp_path, monkeypatch):
    np.save(tmp_path / "picture.npy", picture)
    words = [sys.executable, "-c", LOOK, run.path, tmp_path / "picture.npy", tmp_path / "mask.npy"]
    told = subprocess.run(list(map(str, words)), check=True, stdout=subprocess.PIPE, text=True).stdout
    tiled = np.load(tmp_path / "mask.npy")
    monkeypatch.setattr(mask_answers, "MOST_WHOLE", picture.size)
    whole = run.predict(picture)["mask"]
    inside = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    assert tiled.shape == whole.shape == (2000, 3000) and len(np.unique(whole)) > 2
    apart = (tiled != whole)[inside].mean()
    print(f"{int(json.loads(told)) / 2**20:.0f} MiB above the model, {apart:.4%} of the places differ")
    assert apart < 0.005 and json.loads(told) < MOST
