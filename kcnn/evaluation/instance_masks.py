"""Masks of single objects: from the small square drawn in a box to the picture, and to COCO's run lengths."""

import numpy as np


def pasted(mask, box, size):
    """bool (H, W) of a picture of `size` (H, W): a `mask` (h, w) from 0 to 1, stretched over `box` (4,), where it is
    0.5 or more; read bilinearly at the centres of the pixels."""
    from scipy.ndimage import map_coordinates

    found = np.zeros(size, bool)
    low = np.floor(np.clip(box[:2], 0, None)).astype(int)
    high = np.ceil(np.minimum(box[2:], size[::-1])).astype(int)
    sides = np.asarray(box[2:]) - box[:2]
    if (high <= low).any() or (sides <= 0).any():
        return found
    (x, y), (height, width) = (np.arange(low[axis], high[axis]) + 0.5 for axis in (0, 1)), mask.shape
    rows = (y - box[1]) / sides[1] * height - 0.5
    columns = (x - box[0]) / sides[0] * width - 0.5
    places = np.stack(np.meshgrid(rows, columns, indexing="ij"))
    seen = map_coordinates(np.asarray(mask, np.float32), places, order=1, mode="nearest") >= 0.5
    inside = ((y > box[1]) & (y < box[3]))[:, None] & ((x > box[0]) & (x < box[2]))[None]
    found[low[1] : high[1], low[0] : high[0]] = seen & inside
    return found


def run_lengths(mask):
    """COCO's run lengths of `mask` (H, W) bool, column by column: {"size", "counts"}."""
    from hotcoco import mask as masks

    return masks.encode(np.asfortranarray(mask.astype(np.uint8)))


def true_run_lengths(objects, outline_of):
    """Run lengths of all M `objects` (`kcnn.data.Objects`), in order; outline_of(i): what is drawn of picture i."""
    found = []
    for i in range(len(objects)):
        drawn, rows = outline_of(i), objects.rows(i)
        found += [run_lengths(drawn == k + 1) for k in range(rows.stop - rows.start)]
    return found
