"""Do two small pictures show the same? One is moved and stretched until it fits the other, then they are compared.

Re-encoding and resizing change hardly anything, a crop changes place and scale: four numbers (a scale and a shift along
each axis) are found by Gauss-Newton steps from coarse to fine, for many pairs at once. What fits is judged by
several figures, for that two pictures correlate says little where both are plain: a disc fits any other disc.
"""

from typing import NamedTuple

import numpy as np

STILL = (1.0, 0.0, 1.0, 0.0)  # scale and shift (pixels) along y, then along x
FARTHEST = 0.08  # of the side: the largest shift
LEAST, MOST = 0.85, 1.18  # scale
STRIDES = (0.05, 1.5)  # the longest single step in scale and in pixels
PATCHES = 8  # a side
DETAIL, AGREES = 2.0, 0.7  # a patch bears witness if it varies by so many grey levels and correlates by so much


class Likeness(NamedTuple):
    """How two pictures compare, (P,) each.

    `correlation`; `worst`: the root mean square difference in the worst of 8 × 8 patches, over the standard deviation
    of the whole: large where one scene has another object in it. `slip`: the difference of the whole over its slope,
    that is in pixels of displacement: however smooth a picture is, its copy slips little; `worst_slip`: that of the
    worst patch. `witnesses`: how many of the 64 patches have detail, and the same in both: few in plain pictures, which
    may look alike without being copies.
    """

    correlation: np.ndarray
    worst: np.ndarray
    slip: np.ndarray
    worst_slip: np.ndarray
    witnesses: np.ndarray


def fit(moving, still):
    """float32 (P, 4) that carry `still` (P, n, n) to the places of `moving`, from half size to full; n is even."""
    found = np.tile(np.float32(STILL), (len(moving), 1))
    found = _steps(halved(moving), halved(still), found, 4)
    found[:, 1::2] *= 2
    return _steps(moving, still, found, 4)


def halved(pictures):
    """(P, n, n) at half the side: means of four pixels."""
    count, side = len(pictures), pictures.shape[-1] // 2
    return pictures.reshape(count, side, 2, side, 2).mean((2, 4), dtype=np.float32)


def enlarged(found):
    """What `fit` found, for pictures of twice the side."""
    return found * np.float32([1, 2, 1, 2])


def likeness(moving, still, found):
    """The `Likeness` of `still` and `moving` under `found`, where both have pixels.

    Both pictures are halved once placed, so that what is left of the resampling is not counted, and given one contrast.
    """
    seen, inside = _placed(moving, found)
    valid = (halved(inside.astype(np.float32)) > 0.99).astype(np.float32)
    first, second = _centred(halved(seen), valid), _centred(halved(still * inside), valid)
    spread = _length(second)
    first *= (spread / np.maximum(_length(first), 1e-6))[:, None, None]
    difference = first - second
    pixels, counts = np.sqrt(np.maximum(valid.sum((1, 2)), 1)), _patches(valid)
    patches = _patches(difference**2) / np.maximum(counts, counts.max() / 2)
    worst = np.sqrt(patches.max((1, 2))) * pixels
    slope = np.maximum(np.hypot(*(_length(part * valid) for part in np.gradient(second, axis=(1, 2)))), 1e-6)
    return Likeness(
        correlation=(first * second).sum((1, 2)) / np.maximum(spread**2, 1e-6),
        worst=worst / np.maximum(spread, 1e-6),
        slip=_length(difference) / slope,
        worst_slip=worst / slope,
        witnesses=_witnesses(first, second, np.maximum(counts, 1)),
    )


def _witnesses(first, second, counts):
    means = _patches(first) / counts, _patches(second) / counts
    one, other, both = (
        _patches(a * b) / counts - means[i] * means[j]
        for a, b, i, j in ((first, first, 0, 0), (second, second, 1, 1), (first, second, 0, 1))
    )
    detailed = np.minimum(one, other) > DETAIL**2
    return (detailed & (both > AGREES * np.sqrt(np.maximum(one * other, 0)))).sum((1, 2))


def _steps(moving, still, found, count):
    """Gauss-Newton on scale, shift, gain and level of `moving`; a little damping keeps flat pictures in place."""
    side = moving.shape[-1]
    centre = (np.arange(side) + 0.5 - side / 2).astype(np.float32)
    most = np.float32([STRIDES[0], STRIDES[1]] * 2)
    low, high = ([scale, shift * FARTHEST * side] * 2 for scale, shift in ((LEAST, -1), (MOST, 1)))
    for _ in range(count):
        seen, inside = _placed(moving, found)
        down, right = np.gradient(seen, axis=(1, 2))
        down, right = down / found[:, 0, None, None], right / found[:, 2, None, None]
        slopes = [down * centre[:, None], down, right * centre, right, seen, np.ones_like(seen)]
        slopes = (np.stack(slopes, 1) * inside[:, None]).reshape(len(seen), 6, -1)
        error = ((still - seen) * inside).reshape(len(seen), -1, 1)
        normal = slopes @ slopes.transpose(0, 2, 1)
        damping = np.eye(6, dtype=np.float32) * (1e-3 * np.diagonal(normal, axis1=1, axis2=2)[:, None] + 1e-6)
        move = np.linalg.solve(normal + damping, slopes @ error)[:, :4, 0]
        found = np.clip(found + np.clip(move, -most, most), low, high).astype(np.float32)
    return found


def _placed(pictures, found):
    """(`pictures` resampled under `found`, bilinear (P, n, n); whether each pixel lies in the picture)."""
    down, rows = _weights(found[:, 0], found[:, 1], pictures.shape[-1])
    right, columns = _weights(found[:, 2], found[:, 3], pictures.shape[-1])
    return down @ pictures @ right.transpose(0, 2, 1), rows[:, :, None] & columns[:, None, :]


def _weights(scale, shift, side):
    centre = (np.arange(side) + 0.5 - side / 2) * scale[:, None] + side / 2 + shift[:, None]
    place = np.clip(centre - 0.5, 0, side - 1)
    weights = np.maximum(0, 1 - np.abs(place[:, :, None] - np.arange(side)))
    return weights.astype(np.float32), (centre >= 0) & (centre <= side)


def _centred(values, valid):
    mean = (values * valid).sum((1, 2), keepdims=True) / np.maximum(valid.sum((1, 2), keepdims=True), 1)
    return (values - mean) * valid


def _length(values):
    return np.sqrt((values**2).sum((1, 2)))


def _patches(values):
    side = values.shape[-1] // PATCHES
    return values.reshape(len(values), PATCHES, side, PATCHES, side).sum((2, 4))
