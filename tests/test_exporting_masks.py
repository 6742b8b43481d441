"""Each head for masks, and each family under a U-Net: the written SavedModel answers as the model does."""

import keras
import numpy as np
import pytest

from kcnn.architectures import ARCHITECTURES
from kcnn.data import Facts
from kcnn.exporting import EXPORTERS, export, parity
from kcnn.heads import HEADS
from kcnn.models import build_model, head_of

MASKS = [name for name in HEADS if HEADS[name].task == "masks"]
FAMILIES = [name for name in ARCHITECTURES if name.endswith("_toy") and 2 in ARCHITECTURES[name].ranks]
SMALL = {"unet": {"filters": (8, 8)}, "fcn": {"filters": 8}, "deeplab": {"filters": 8, "low_filters": 4}}
STATED = ("nasnet_toy",)  # what must know its sides


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """How long answers take is not asked here."""
    monkeypatch.setattr(parity, "WARM", 0)
    monkeypatch.setattr(parity, "REPEATS", 1)


def written(architecture, name, folder, rng):
    """(parity of a SavedModel, answers of it to a picture of another size, or None for one that states its own)."""
    keras.utils.set_random_seed(0)
    head = head_of(name, num_classes=3, **SMALL[name])
    stated = architecture in STATED
    model = build_model(architecture, head, input_shape=(64, 64, 3) if stated else (None, None, 3))
    facts = Facts(class_names=("ground", "bright", "dark"), input_shape=(64, 64, 3), task="masks")
    images = rng.integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    path, found = export("saved_model", model, head, facts, folder, images)
    ask = EXPORTERS["saved_model"].load(path, head, facts)["serving_default"]
    return found, None if stated else ask(rng.integers(0, 256, (1, 70, 96, 3)).astype(np.uint8))


@pytest.mark.parametrize("name", [name for name in MASKS if name != "unet"])
def test_each_head_is_exported_and_takes_other_sizes(name, tmp_path, rng):
    found, other = written("resnet_toy", name, tmp_path, rng)
    assert found["score_difference"] < 1e-4 and other["mask"].shape == (1, 70, 96)


@pytest.mark.parametrize("architecture", FAMILIES)
def test_each_family_is_exported_under_a_unet(architecture, tmp_path, rng):
    found, other = written(architecture, "unet", tmp_path, rng)
    assert found["score_difference"] < 1e-4 and (other is None or other["mask"].shape == (1, 70, 96))


def test_there_are_families_and_heads():
    assert len(FAMILIES) > 20 and len(MASKS) >= 3
