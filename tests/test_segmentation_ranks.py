"""Signals and volumes whose classes no single place shows: does a U-Net learn them from what is around?

Each task is one that the best threshold and a net of 1×1 kernels cannot do.
"""

import keras
import numpy as np
import pytest

import kcnn

SETTINGS = {"architecture": "resnet_toy", "head": "unet", "batch_size": 16, "learning_rate": 4e-3, "stem": "small"}
SETTINGS |= {"head_options": {"objective": "cross_entropy+dice", "filters": [32, 16]}, "schedule": "one_cycle"}


def waves(count, rng):
    """(signals (N, 128, 1), masks (N, 128)): a slow wave with stretches of a fast one, of one amplitude."""
    places = np.arange(128)
    signals, masks = np.zeros((count, 128, 1), np.float32), np.zeros((count, 128), np.uint8)
    for signal, mask in zip(signals, masks, strict=True):
        for start in rng.choice(4, 2, replace=False) * 32:
            first, last = start + rng.integers(0, 6), start + rng.integers(20, 32)
            mask[first:last] = 1
        pace = np.where(mask, 0.9, 0.25) * rng.uniform(0.9, 1.1)
        signal[:, 0] = np.sin(np.cumsum(pace) + rng.uniform(0, 6)) + rng.normal(0, 0.05, places.size)
    return signals, masks


def shells(count, rng):
    """(volumes (N, 16, 16, 16, 1), masks): balls of which only the thin shell is brighter than what is around."""
    volumes = rng.normal(0, 0.1, (count, 16, 16, 16, 1)).astype(np.float32)
    masks = np.zeros((count, 16, 16, 16), np.uint8)
    grid = np.stack(np.meshgrid(*[np.arange(16)] * 3, indexing="ij"), -1)
    for volume, mask in zip(volumes, masks, strict=True):
        radius = rng.uniform(4, 6)
        distance = np.linalg.norm(grid - rng.uniform(6, 9, 3), axis=-1)
        mask[distance < radius] = 1
        volume[(distance < radius) & (distance > radius - 1), 0] += 1
    return volumes, masks


def dice(truth, said):
    return 2 * (truth & said).sum() / max(truth.sum() + said.sum(), 1)


def best_threshold(values, masks):
    """The best Dice of class 1 that one threshold reaches, with either side as class 1."""
    truth, levels = masks == 1, np.quantile(values, np.linspace(0, 1, 60))
    return max(dice(truth, side) for level in levels for side in (values[..., 0] > level, values[..., 0] < level))


def by_single_places(values, masks):
    """The Dice of class 1 of a small net of 1×1 kernels, on what it has learned from."""
    keras.utils.set_random_seed(0)
    net = keras.Sequential([keras.layers.Dense(32, "relu"), keras.layers.Dense(32, "relu"), keras.layers.Dense(2)])
    net.compile(keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = values.reshape(-1, 1), masks.reshape(-1)
    share = y.mean()
    weights = np.where(y == 1, 1 / share, 1 / (1 - share)).astype(np.float32)  # else it may never say the rarer one
    net.fit(x, y, 512, epochs=3, sample_weight=weights, verbose=0)
    return dice(y == 1, net.predict(x, 4096, verbose=0).argmax(-1) == 1)


@pytest.mark.slow
@pytest.mark.parametrize(("make", "epochs", "least"), [(waves, 12, 0.9), (shells, 12, 0.95)])
def test_what_single_places_do_not_show_is_learned(tmp_path, make, epochs, least):
    rng = np.random.default_rng(0)
    data = {"train": make(160, rng), "val": make(32, rng), "class_names": ["around", "inside"]}
    assert best_threshold(*data["val"]) < 0.7 and by_single_places(*data["train"]) < 0.7
    run = kcnn.build_and_fit_segmenter(data, **SETTINGS, epochs=epochs, **{"runtime.runs": str(tmp_path)})
    inside = run.metrics["per_class"][1]
    assert inside["dice"] >= least
    answer = run.predict(data["val"][0][0])
    assert answer["mask"].shape == data["val"][1][0].shape and dice(data["val"][1][0] == 1, answer["mask"] == 1) > 0.8
