"""Signals and volumes whose classes no single place shows: does a U-Net learn them from what is around?

Each task is one that the best threshold and a net of 1×1 kernels cannot do.
"""

import keras
import numpy as np
import pytest

import kcnn
from kcnn.data.shells import drawn_shells

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


def check_hard(train, val):
    """That neither the best threshold nor what is learned from single places alone can do it."""
    assert best_threshold(*val) < 0.7 and by_single_places(*train) < 0.7


@pytest.mark.slow
def test_a_signal_is_learned_from_what_is_around(tmp_path):
    rng = np.random.default_rng(0)
    data = {"train": waves(160, rng), "val": waves(32, rng), "class_names": ["slow", "fast"]}
    check_hard(data["train"], data["val"])
    run = kcnn.build_and_fit_segmenter(data, **SETTINGS, epochs=12, **{"runtime.runs": str(tmp_path)})
    assert run.metrics["per_class"][1]["dice"] >= 0.9
    answer = run.predict(data["val"][0][0])
    assert answer["mask"].shape == (128,) and dice(data["val"][1][0] == 1, answer["mask"] == 1) > 0.8


@pytest.mark.slow
def test_the_recipe_of_a_volume_learns_what_its_places_do_not_show(tmp_path):
    check_hard(*(drawn_shells(count, np.random.default_rng(seed)) for seed, count in enumerate((160, 32))))
    run = kcnn.build_and_fit("segment/volume", **{"runtime.runs": str(tmp_path)})
    assert run.metrics["per_class"][1]["dice"] >= 0.95
    volumes, masks = drawn_shells(1, np.random.default_rng(7))
    answer = run.predict(volumes[0])
    assert answer["mask"].shape == masks[0].shape and dice(masks[0] == 1, answer["mask"] == 1) > 0.8


def test_the_built_in_shells_are_what_they_are_called():
    splits = kcnn.check_data("builtin:shells").splits
    assert [len(splits[name]) for name in ("train", "val", "test")] == [160, 32, 32]
    volumes, masks = splits["train"].images.values, splits["train"].masks.values
    assert volumes.shape == (160, 16, 16, 16, 1) and masks.shape == volumes.shape[:-1]
    bright, inside = volumes[..., 0] > 0.5, masks == 1
    assert 0.1 < (bright & inside).sum() / inside.sum() < 0.9 and not (bright & ~inside).any()
    assert (volumes[:1] == kcnn.check_data("builtin:shells", seed=5).splits["train"].images.values[:1]).all()
