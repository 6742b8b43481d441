"""The frame: the size (H, W, C) in which the network sees every picture, and the scale of its values."""

import numpy as np

from kcnn.data.samples import Arrays


def choose_frame(dataset, options):
    """(H, W, C) from `options` (recipe.Data) and the data: its common size, at most 224."""
    height, width, channels = dataset.splits["train"].images.values.shape[1:]
    size = (options.image_size,) * 2 if options.image_size else (min(height, 224), min(width, 224))
    return (*size, options.channels or channels)


def statistics(samples):
    """(mean, std) a channel of float data, for the scaling layer: tuples of floats; a constant channel has std 1."""
    if not isinstance(samples.images, Arrays):
        raise ValueError("statistics are taken of arrays only; pictures are scaled by constants")
    values = samples.images.values
    axes = tuple(range(values.ndim - 1))
    mean, std = values.mean(axes, dtype=np.float64), values.std(axes, dtype=np.float64)
    std = np.where(std > 1e-12 * np.maximum(1, np.abs(mean)), std, 1)
    return tuple(mean.tolist()), tuple(std.tolist())
