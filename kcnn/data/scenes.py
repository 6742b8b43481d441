"""`builtin:digit-scenes`: real handwritten digits placed in scenes, with labels, boxes, masks and instances.

Which digits, where and how large depends on fixed seeds alone, never on a run's. The digits of validation and test
scenes are in no training scene, so that a score says something about new handwriting.
"""

import functools
from typing import NamedTuple

import numpy as np

from kcnn.data.builtin import BUILTIN, OBJECTS
from kcnn.data.mask_values import count_pixels, occurring
from kcnn.data.objects import Objects
from kcnn.data.samples import Arrays, DataSet, Samples, numbered

SIDE = 96
COUNTS = {"train": 1000, "val": 200, "test": 200}
SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}  # of the digits, class by class
MOST = 5  # digits of a scene
SIZES = (20, 40)  # pixels, of a digit's square
INK = 0.45  # of a digit's full darkness, from which a place is the digit's
BLOBS = 7  # of a background, a side
TRIES, OVERLAP = 12, 0.06  # places tried for a digit; share of its square's area that may be another's


class Scenes(NamedTuple):
    """The scenes of one split, N of them.

    `images` uint8 (N, 96, 96, 1); `masks` uint8 (N, 96, 96): 0 background, k + 1 the digit k. Of up to 5 digits each:
    `boxes` float32 (N, 5, 4) xyxy around what is seen, `classes` int32 (N, 5), the digit or -1 where there is none, and
    `digits` int32 (N, 5), its place in scikit-learn's set or -1. `instances` uint8 (N, 96, 96): 1 + the place of the
    digit among the five that is seen there, 0 for none.
    """

    images: np.ndarray
    masks: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray
    instances: np.ndarray
    digits: np.ndarray


@BUILTIN.register("digit-scenes")
def digit_scenes(options, seed):
    """1 400 scenes of 96x96 with up to five real digits each and masks of them; val and test show unseen digits."""
    splits = {}
    for split, scenes in all_scenes().items():
        masks = Arrays(scenes.masks)
        pixels = count_pixels(masks, 11)
        names = numbered(len(scenes.masks), f"{split} scene")
        splits[split] = Samples(Arrays(scenes.images), occurring(pixels), names, masks=masks, pixels=pixels)
    format = "built-in digit scenes, 96x96 grey with masks; digits of val and test scenes are in no training scene"
    return DataSet(splits, ("background", *"0123456789"), False, format)


@OBJECTS.register("digit-scenes")
def digit_objects(outlines):
    """The same scenes with the box of each digit, and with `outlines` its places; classes are the digits."""
    splits = {}
    for split, scenes in all_scenes().items():
        there = scenes.classes >= 0
        boxes, classes = ([part[i, there[i]] for i in range(len(there))] for part in (scenes.boxes, scenes.classes))
        drawn = Arrays(scenes.instances) if outlines else None
        objects = Objects.of(boxes, classes, outlines=drawn)
        names = numbered(len(there), f"{split} scene")
        splits[split] = Samples(Arrays(scenes.images), objects.occurring(10), names, objects=objects)
    format = "built-in digit scenes, 96x96 grey with boxes; digits of val and test scenes are in no training scene"
    return DataSet(splits, tuple("0123456789"), False, format)


@functools.lru_cache(1)
def all_scenes():
    """{"train", "val", "test": Scenes}, made once a process."""
    from sklearn.datasets import load_digits

    found = load_digits()
    parts = _divided(found.target)
    return {
        split: _scenes(found.images / 16, found.target, parts[split], count, np.random.default_rng([2025, number]))
        for number, (split, count) in enumerate(COUNTS.items())
    }


def _divided(target):
    """{split: places of its digits}, of each class the same share."""
    rng, parts = np.random.default_rng(2025), {split: [] for split in SHARES}
    for kind in range(10):
        places = rng.permutation(np.flatnonzero(target == kind))
        ends = np.rint(np.cumsum(list(SHARES.values())) * len(places)).astype(int)
        for split, some in zip(SHARES, np.split(places, ends[:-1]), strict=True):
            parts[split].append(some)
    return {split: np.concatenate(some) for split, some in parts.items()}


def _scenes(pictures, target, pool, count, rng):
    from scipy.ndimage import find_objects

    images = _backgrounds(count, rng)
    masks = np.zeros((count, SIDE, SIDE), np.uint8)
    boxes, classes = np.zeros((count, MOST, 4), np.float32), np.full((count, MOST), -1, np.int32)
    instances, digits = np.zeros_like(masks), np.full((count, MOST), -1, np.int32)
    chosen = _endless(pool, rng)
    for i in range(count):
        for place, (top, left, side) in enumerate(_places(rng)):
            digit = next(chosen)
            ink, where = _enlarged(pictures[digit], side), np.s_[top : top + side, left : left + side]
            level = rng.uniform(185, 250) if rng.random() < 0.5 else rng.uniform(5, 50)
            images[i][where] += ink * (level - images[i][where])
            inside = ink > 0.5
            instances[i][where][inside] = place + 1
            masks[i][where][inside] = target[digit] + 1
            classes[i, place], digits[i, place] = target[digit], digit
        for place, (rows, columns) in enumerate(find_objects(instances[i])):
            boxes[i, place] = columns.start, rows.start, columns.stop, rows.stop
    noise = rng.uniform(2, 8, (count, 1, 1)).astype(np.float32)
    images += noise * rng.standard_normal(images.shape, np.float32)
    images = np.rint(np.clip(images, 0, 255)).astype(np.uint8)[..., None]
    return Scenes(images, masks, boxes, classes, instances, digits)


def _endless(pool, rng):
    """Each digit of `pool` once, in a random order, then all again."""
    while True:
        yield from rng.permutation(pool)


def _places(rng):
    """(top, left, side) of the squares of 1 to 5 digits that overlap hardly; one that finds no place is left out."""
    found = []
    for _ in range(rng.integers(1, MOST + 1)):
        side = int(rng.integers(SIZES[0], SIZES[1] + 1))
        for top, left in rng.integers(0, SIDE - side + 1, (TRIES, 2)).tolist():
            if all(_shared(top, left, side, *other) <= OVERLAP * min(side, other[2]) ** 2 for other in found):
                found.append((top, left, side))
                break
    return found


def _shared(top, left, side, other_top, other_left, other_side):
    high = min(top + side, other_top + other_side) - max(top, other_top)
    wide = min(left + side, other_left + other_side) - max(left, other_left)
    return max(high, 0) * max(wide, 0)


@functools.lru_cache
def _weights(side, count):
    """float32 (side, count): the cubic interpolation (Keys 1981) of `count` pixels to `side`, with nothing around."""
    distance = np.abs((np.arange(side) + 0.5)[:, None] * count / side - (np.arange(count) + 0.5))
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return np.where(distance < 1, near, np.where(distance < 2, far, 0)).astype(np.float32)


def _enlarged(picture, side):
    """float32 (side, side) from 0 to 1: the digit's ink, with strokes of a clear edge."""
    weights = _weights(side, 8)
    return np.clip((weights @ picture.astype(np.float32) @ weights.T - INK) * 3 + 0.5, 0, 1)


def _backgrounds(count, rng):
    """float32 (count, 96, 96): soft blobs, a slope of light and faint stripes about a middle grey."""
    weights = _weights(SIDE, BLOBS)
    blobs = weights @ rng.normal(0, 1, (count, BLOBS, BLOBS)).astype(np.float32) @ weights.T
    across, down = (np.linspace(-1, 1, SIDE, dtype=np.float32).reshape(shape) for shape in ((1, 1, -1), (1, -1, 1)))
    angle, waves, phase, depth, light, slope, rough = np.float32([
        rng.uniform(low, high, (count, 1, 1))
        for low, high in ((0, 2 * np.pi), (5, 30), (0, 2 * np.pi), (0, 10), (95, 140), (0, 20), (3, 12))
    ])  # fmt: skip
    along = np.cos(angle) * across + np.sin(angle) * down
    return light + slope * along + rough * blobs + depth * np.sin(waves * along + phase)
