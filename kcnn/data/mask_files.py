"""Files of masks, whatever they were saved as, read once: the numbers and colours that they hold."""

import functools
import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from kcnn.data.mask_values import encoded_mask
from kcnn.data.reading import file_bytes

MOST_COLOURS = 256  # of one file; what has more is no mask
NEAR_ENDS = 40  # grey levels by which a JPEG's black and white may be off


class MaskFile(NamedTuple):
    """One file: `png`, a grey PNG of places in the lists that follow, and how often each place occurs, (n,).

    `numbers` (n,) as stored, or None for one of true colours; `colours` (n,) as 0xRRGGBB; `kind` in a word.
    """

    png: bytes
    places: tuple[int, ...]
    counts: tuple[int, ...]
    numbers: tuple[int, ...] | None
    colours: tuple[int, ...]
    kind: str


def read_masks(paths, max_pixels):
    """[MaskFile, or a str: the reason why it cannot be one] of the files `paths`, by all cores."""
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # of Pillow, about files that are odd or large
        return list(pool.map(functools.partial(read_mask, max_pixels=max_pixels), paths))


def read_mask(path, max_pixels):
    """The `MaskFile` at `path`, or the reason why it cannot be read."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(file_bytes(path))) as image:
            if image.width * image.height > max_pixels:
                return f"its mask has more than {max_pixels} pixels (data.max_pixels)"
            return _understood(image)
    except OSError as error:
        return f"its mask cannot be read: {error.strerror or 'it is no picture, or damaged'}"
    except Exception as error:  # Pillow raises anything on odd files
        return f"its mask cannot be read: {type(error).__name__}"


def _understood(image):
    if image.format == "JPEG":
        return _from_jpeg(np.asarray(image.convert("L")))
    if image.mode == "P" and image.format != "GIF":  # whose writers number colours anew, file by file
        values = np.asarray(image)
        palette = np.zeros((256, 3), np.int64)
        given = np.array(image.getpalette() or [], np.int64).reshape(-1, 3)[:256]
        palette[: len(given)] = given
        return _from_numbers(values, "palette", tuple((palette @ [1 << 16, 1 << 8, 1]).tolist()))
    if image.mode in ("1", "L", "LA"):
        return _from_numbers(np.asarray(image.getchannel(0)).astype(np.uint8), "grey")
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 255:
            return f"its mask has the number {values.max() if values.max() > 255 else values.min()}; 0 to 255 are read"
        return _from_numbers(values.astype(np.uint8), "grey")
    if image.mode == "F":
        return "its mask holds fractions; save it as class numbers"
    return _from_colours(image.convert("RGB"))


def _from_jpeg(values):
    """Black and white survive a JPEG; class numbers and colours do not."""
    white = values > 127
    if (np.abs(values - np.where(white, 255.0, 0.0)) > NEAR_ENDS).mean() > 0.02:
        return "its mask is a JPEG, which blurs class numbers: save masks as PNG"
    return _from_numbers(white.astype(np.uint8) * 255, "grey")


def _from_numbers(values, kind, palette=None):
    counts = np.bincount(values.reshape(-1), minlength=256)
    used = tuple(np.flatnonzero(counts).tolist())
    colours = tuple(palette[v] if palette else v * 0x010101 for v in used)
    return MaskFile(encoded_mask(values), used, tuple(counts[list(used)].tolist()), used, colours, kind)


def _from_colours(image):
    found = image.getcolors(MOST_COLOURS)
    if found is None:
        return f"its mask has more than {MOST_COLOURS} colours: it is no map of classes, or was saved with loss"
    found = sorted((r << 16 | g << 8 | b, count) for count, (r, g, b) in found)
    packed = np.asarray(image).astype(np.int32) @ np.int32([1 << 16, 1 << 8, 1])
    colours, counts = zip(*found, strict=True)
    places = np.searchsorted(colours, packed).astype(np.uint8)
    grey = all(colour % 0x010101 == 0 for colour in colours)
    numbers = tuple(colour // 0x010101 for colour in colours) if grey else None
    return MaskFile(encoded_mask(places), tuple(range(len(colours))), counts, numbers, colours, "colour")
