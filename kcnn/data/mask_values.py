"""What masks hold: their class numbers, sizes and counts, whichever form they are kept in."""

import io
import os
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np


def mask_of(masks, i):
    """uint8 (*spatial): the class numbers of mask `i` of `masks` (Encoded or Arrays)."""
    from PIL import Image

    return masks.values[i] if hasattr(masks, "values") else np.asarray(Image.open(io.BytesIO(masks[i])))


def encoded_mask(values):
    """The bytes of a grey PNG of class numbers uint8 (H, W)."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(values)).save(file, "PNG", compress_level=3)
    return file.getvalue()


def mask_sizes(masks):
    """int32 (N, 2): height and width of each mask, read without decoding."""
    if hasattr(masks, "values"):
        return np.tile(np.int32(masks.values.shape[1:3]), (len(masks), 1))
    sizes = [struct.unpack(">II", item[16:24])[::-1] for item in masks]  # a PNG's header begins with width and height
    return np.array(sizes, np.int32).reshape(-1, 2)


def count_pixels(masks, num_classes):
    """int64 (N, K): how many places each class has in each mask; other numbers are not counted."""

    def count(i):
        return np.bincount(mask_of(masks, i).reshape(-1), minlength=256)[:num_classes]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.array(list(pool.map(count, range(len(masks)))), np.int64).reshape(-1, num_classes)


def occurring(pixels):
    """float32 (N, K): 1 where a class occurs, the labels of samples with masks."""
    return (pixels > 0).astype(np.float32)
