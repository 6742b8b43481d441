"""A segmenter or a detector that is killed goes on to the same bits."""

import os
import signal
import subprocess
import sys
import time

import pytest

from kcnn.recipe import Recipe
from kcnn.run_folder import RunFolder
from kcnn.training.weights import read_tensors

SHARED = {
    "data.source": "builtin:digit-scenes", "data.limit": 48, "model.architecture": "resnet_toy",
    "augment.rotation": 20, "train.batch_size": 8, "train.epochs": 3, "train.ema": 0.9, "runtime.deterministic": True,
}  # fmt: skip
SMALL = {"filters": 8, "hidden": 16, "proposals": 20, "most": 6}
BOXES = {"data.image_size": 64, "augment.mosaic": 0.3, "train.clip_norm": 10.0}
RECIPES = {
    "unet": {"data.image_size": 32, "augment.elastic": 0.03,
             "model.head_options": {"objective": "cross_entropy+dice", "filters": [16, 8]}},
    "faster_rcnn": BOXES | {"model.head_options": SMALL},
    "mask_rcnn": BOXES | {"model.head_options": SMALL, "augment.copy_paste": 0.5},
}  # fmt: skip


def command(*words):
    return [sys.executable, "-m", "kcnn", *map(str, words)]


@pytest.mark.slow
@pytest.mark.parametrize("head", RECIPES)
def test_a_killed_training_ends_in_the_same_bits(head, tmp_path):
    recipe = tmp_path / "killed.toml"
    settings = SHARED | RECIPES[head] | {"model.head": head, "runtime.runs": str(tmp_path)}
    recipe.write_text(Recipe().override(settings).to_toml())
    subprocess.run(command("fit", recipe, "--name", "whole"), check=True, env=os.environ)
    child = subprocess.Popen(command("fit", recipe, "--name", "killed"))
    folder, end = RunFolder(tmp_path / "killed"), time.monotonic() + 300
    while folder.status().get("step", 0) < 7 and time.monotonic() < end:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL and folder.state() == "failed", "it was killed while it trained"
    subprocess.run(command("resume", folder.path), check=True)
    assert folder.state() == "finished"
    for file in ("best.safetensors", "last.safetensors"):
        whole, killed = (read_tensors(tmp_path / name / file) for name in ("whole", "killed"))
        assert whole.keys() == killed.keys()
        assert [key for key in whole if (whole[key] != killed[key]).any()] == []
    metric = "val_mean_iou" if head == "unet" else "val_map"
    figures = [[row[metric] for row in RunFolder(tmp_path / name).history()] for name in ("whole", "killed")]
    assert figures[0] == figures[1] and len(figures[0]) == 3
