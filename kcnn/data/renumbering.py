"""Masks and objects by other numbers of the same classes: those of a run."""

from dataclasses import replace

import numpy as np

from kcnn.data.mask_values import count_pixels, encoded_mask, mask_of
from kcnn.data.samples import Arrays, Encoded, as_strings
from kcnn.masks import IGNORE


def renumbered(samples, names, known):
    """`samples` whose masks and objects number the classes `names`, by numbers of `known`, which has all of them."""
    numbers = [known.index(name) if name in known else IGNORE for name in names]
    if samples.objects is not None and len(samples.objects.classes):
        classes = np.array(numbers, np.int32)[samples.objects.classes]
        samples = replace(samples, objects=replace(samples.objects, classes=classes))
    if samples.masks is None:
        return samples
    masks = samples.masks
    if numbers != list(range(len(names))):
        table = np.full(256, IGNORE, np.uint8)
        table[: len(numbers)] = numbers
        if isinstance(masks, Arrays):
            masks = Arrays(table[masks.values])
        else:
            masks = Encoded(as_strings([encoded_mask(table[mask_of(masks, i)]) for i in range(len(masks))]))
    return replace(samples, masks=masks, pixels=count_pixels(masks, len(known)))
