"""`builtin:shells`: volumes of balls that no single place shows, for a first 3-D segmenter without data.

Only a ball's thin shell is brighter than the noise around and inside it, so that the inside is known by the whole.
Where balls are and how large depends on fixed seeds alone, never on a run's.
"""

import numpy as np

from kcnn.data.builtin import BUILTIN
from kcnn.data.mask_values import count_pixels, occurring
from kcnn.data.samples import Arrays, DataSet, Samples, numbered

SIDE = 16
COUNTS = {"train": 160, "val": 32, "test": 32}
RADIUS, THICK = (4, 6), 1.0  # places
NOISE = 0.1  # standard deviation, of a shell's brightness


@BUILTIN.register("shells")
def shells(options, seed):
    """224 volumes of 16x16x16 with one ball each, bright only in its shell, and masks of its inside."""
    splits = {}
    for number, (split, count) in enumerate(COUNTS.items()):
        volumes, masks = drawn_shells(count, np.random.default_rng([2026, number]))
        masks = Arrays(masks)
        pixels = count_pixels(masks, 2)
        names = numbered(count, f"{split} volume")
        splits[split] = Samples(Arrays(volumes), occurring(pixels), names, masks=masks, pixels=pixels)
    format = "built-in shells, volumes of 16x16x16 with masks of what each shell holds"
    return DataSet(splits, ("around", "inside"), False, format)


def drawn_shells(count, rng):
    """(volumes float32 (N, 16, 16, 16, 1), masks uint8 (N, 16, 16, 16)) drawn by `rng`."""
    volumes = rng.normal(0, NOISE, (count, SIDE, SIDE, SIDE, 1)).astype(np.float32)
    grid = np.stack(np.meshgrid(*[np.arange(SIDE)] * 3, indexing="ij"), -1)
    radius, centre = rng.uniform(*RADIUS, count), rng.uniform(RADIUS[1], SIDE - 1 - RADIUS[1], (count, 3))
    distance = np.linalg.norm(grid - centre[:, None, None, None], axis=-1)
    radius = radius[:, None, None, None]
    volumes[..., 0] += (distance < radius) & (distance > radius - THICK)
    return volumes, (distance < radius).astype(np.uint8)
