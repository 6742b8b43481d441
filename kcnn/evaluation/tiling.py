"""Masks of pictures of any size: overlapping tiles whose class scores are blended, in memory for one band of tiles."""

import numpy as np

from kcnn.errors import UserError
from kcnn.masks import MOST_CLASSES

TOGETHER = 4  # tiles asked at once


def tiled(ask, picture, tile, overlap, grid=1):
    """(class numbers uint8 (H, W), best score float16 (H, W)) of `picture` (H, W, C), which may be larger than memory.

    ask: from tiles (n, tile, tile, C), of the picture's kind, to class scores (n, tile, tile, K).
    tile, overlap: pixels; neighbours overlap by `overlap` at least, and in it the weight of a tile falls smoothly to
    nothing before its edge, where it sees least, but not at the edge of the picture.
    grid: tiles start at multiples of it. A network that halves its maps five times sees things alike only where they
    are moved by 32, so that tiles between answer otherwise than the whole picture.
    Beyond its right and lower edges the picture is mirrored. Raises `UserError` for numbers that do not fit.
    """
    _check(picture, tile, overlap, grid)
    height, width = picture.shape[:2]
    high, wide = (max(tile, -(-side // grid) * grid) for side in (height, width))
    turned = wide > high  # the band runs along the shorter side
    along, across = (_line(side, tile, overlap, grid) for side in ((wide, high) if turned else (high, wide)))
    mask, best = np.empty((high, wide), np.uint8), np.empty((high, wide), np.float16)
    to_mask, to_best = (mask.T, best.T) if turned else (mask, best)
    for rows, band in _bands(ask, picture, tile, along, across, turned):
        to_mask[rows], to_best[rows] = band.argmax(-1), band.max(-1)
    return mask[:height, :width], best[:height, :width]


def _bands(ask, picture, tile, along, across, turned):
    """Yields (slice of rows, their blended scores float32 (rows, side, K)), in order, each row once."""
    (starts, weights, sums), (others, other_weights, other_sums) = along, across
    band = None
    for i, start in enumerate(starts):
        for places in _some(range(len(others))):
            tiles = np.stack([_cut(picture, tile, start, others[j], turned) for j in places])
            scores = np.asarray(ask(tiles), np.float32)
            if band is None:
                _check_scores(scores, tiles.shape)
                band = np.zeros((tile, len(other_sums), scores.shape[-1]), np.float32)
            for j, each in zip(places, scores, strict=True):
                each = each.swapaxes(0, 1) if turned else each
                weight = weights[i][:, None] * other_weights[j]
                band[:, others[j] : others[j] + tile] += each * weight[..., None]
        done = (starts[i + 1] if i + 1 < len(starts) else start + tile) - start
        for row in range(done):
            band[row] /= (sums[start + row] * other_sums)[:, None]
        yield slice(start, start + done), band[:done]
        band[: tile - done] = band[done:]
        band[tile - done :] = 0


def _line(side, tile, overlap, grid):
    """(starts of the tiles along a side, the weights (tile,) of each, the sum of weights (side,)).

    From tile to tile the weights change over the middle half of what both see; outside it one of them counts alone.
    """
    step = max((tile - overlap) // grid, 1) * grid
    count = 1 + -(-(side - tile) // step)
    starts = (grid * np.rint(np.linspace(0, (side - tile) / grid, count))).astype(int).tolist()
    weights, sums = np.ones((count, tile), np.float32), np.zeros(side, np.float32)
    for i in range(count - 1):
        both = starts[i] + tile - starts[i + 1]
        way = np.clip(2 * (np.arange(both) + 0.5) / max(both, 1) - 0.5, 0, 1)
        rise = np.sin(np.pi / 2 * way) ** 2
        weights[i, tile - both :] *= rise[::-1]
        weights[i + 1, :both] *= rise
    for start, weight in zip(starts, weights, strict=True):
        sums[start : start + tile] += weight
    return starts, weights, sums


def _cut(picture, tile, start, other, turned):
    top, left = (other, start) if turned else (start, other)
    found = picture[top : top + tile, left : left + tile]
    short = [(0, tile - side) for side in found.shape[:2]]
    return np.pad(found, [*short, (0, 0)], "symmetric") if found.shape[:2] != (tile, tile) else found


def _some(places):
    """Yields `TOGETHER` of `places` at a time."""
    for start in range(0, len(places), TOGETHER):
        yield places[start : start + TOGETHER]


def _check(picture, tile, overlap, grid):
    if picture.ndim != 3 or not picture.size:
        raise UserError(f"the picture is {picture.shape}: it must be (height, width, channels), none of them 0")
    if tile < 1:
        raise UserError(f"tile is {tile}: it must be 1 pixel or more")
    if grid < 1 or tile % grid:
        raise UserError(f"grid is {grid}: it must be a divisor of the tile, {tile}")
    if not 0 <= overlap <= tile // 2:
        raise UserError(f"overlap is {overlap}: it must be from 0 to half of the tile, {tile // 2}")


def _check_scores(scores, shape):
    if scores.shape[:-1] != shape[:-1]:
        raise UserError(f"tiles {shape} were answered by {scores.shape}: there must be one score a class and pixel")
    if scores.shape[-1] > MOST_CLASSES:
        raise UserError(f"{scores.shape[-1]} classes are answered: masks hold {MOST_CLASSES} at most")
