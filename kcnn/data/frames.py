"""The frame: the size (H, W, C) in which the network sees every picture, and the scale of its values."""

import numpy as np

from kcnn.data.checks import examine
from kcnn.data.headers import upright_sizes
from kcnn.data.samples import Arrays
from kcnn.errors import UserError

LARGEST, SMALLEST = 224, 4
LOOKED_AT = 1000  # pictures whose headers decide, where no check has read them


def choose_frame(dataset, options):
    """(H, W, C) for a checked data set under `options` (recipe.Data).

    Without image_size: the pictures' own size where all agree and it is at most 224; else a square of the median
    shorter side, at most 224. Without channels: 1 if all pictures are grey, else 3. Other data keeps its shape.
    """
    images = dataset.splits["train"].images
    if isinstance(images, Arrays):
        if images.values.ndim != 4:
            return images.values.shape[1:]
        sizes, channels = np.array([images.values.shape[1:3]]), images.values.shape[3]
        if options.channels not in (None, channels) and images.values.dtype != np.uint8:
            raise UserError(f"data.channels is {options.channels} but the data has {channels}; leave it out")
    else:
        sizes, channels = _sizes(images, options)
    size = (options.image_size,) * 2 if options.image_size else _common(sizes)
    return (*size, options.channels or int(channels))


def _sizes(images, options):
    """(upright sizes (N, 2), 1 if all are grey else 3)."""
    headers = images.headers
    if headers is None:
        some = images.take(np.unique(np.linspace(0, len(images) - 1, LOOKED_AT).astype(int)))
        examined = examine(some, options.max_pixels)
        headers = examined.headers[examined.readable]
        if not len(headers):
            raise UserError("no picture can be read; `kcnn check` says why")
    return upright_sizes(headers), 1 if (headers[:, 3] == 1).all() else 3


def sizes_of(images):
    """int32 (N, 2): height and width of each upright picture, of an array or as the check read them."""
    if isinstance(images, Arrays):
        return np.tile(np.int32(images.values.shape[1:3]), (len(images), 1))
    if images.headers is None:
        raise ValueError("the pictures' sizes are not known: check the data set first")
    return np.asarray(upright_sizes(images.headers), np.int32)


def _common(sizes):
    if (sizes == sizes[0]).all() and sizes[0].max() <= LARGEST:
        return tuple(np.maximum(sizes[0], SMALLEST).tolist())
    return (int(np.clip(np.median(sizes.min(1)), SMALLEST, LARGEST)),) * 2


def statistics(samples):
    """(mean, std) a channel of float data, for the scaling layer: tuples of floats; a constant channel has std 1."""
    if not isinstance(samples.images, Arrays):
        raise ValueError("statistics are taken of arrays only; pictures are scaled by constants")
    values = samples.images.values
    axes = tuple(range(values.ndim - 1))
    mean, std = values.mean(axes, dtype=np.float64), values.std(axes, dtype=np.float64)
    std = np.where(std > 1e-12 * np.maximum(1, np.abs(mean)), std, 1)
    return tuple(mean.tolist()), tuple(std.tolist())
