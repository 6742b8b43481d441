"""Near copies: re-encoded, resized, slightly cropped or mirrored.

Three sieves, each finer and dearer than the one before: 63 numbers a picture, compared with all others by products of
blocks; the thumbnails in memory, one fitted to the other; and thumbnails of twice the side, read again. A picture with
too little detail to tell a copy from a look-alike has no near copies: only an exact copy of it is found.
"""

import itertools

import numpy as np

from kcnn.doctor import alignment
from kcnn.doctor.survey import looked_again
from kcnn.doctor.thumbnails import graph

LEAST_SIDE = 32  # px: in smaller pictures, such as digits, different things look alike
FLAT = 4.0  # grey levels: pictures with a smaller standard deviation are not compared
ALIKE = 0.75  # first sieve: 99 % of 5 % crops are above, about 1 in 5 000 pairs of other pictures
PARTNERS = 16  # that one picture keeps of those
SHAPES = 1.16  # the largest ratio between two copies' aspects: a 5 % crop off each side changes one by 1.11
COLOUR = 20.0  # levels by which the mean colour of two copies may differ
PLAUSIBLE, SAME = 0.92, 0.97  # correlation in the second and third sieve
WORST = 0.45  # the worst patch in the third: copies stay below 0.4, one scene with another object is above 0.5
SLIP = 0.2  # px of 32 in the third: copies stay below 0.17, other pictures as smooth as digits are above 0.29
WORST_SLIP = 0.7  # the same of the worst patch
WITNESSES = 28  # patches of 64 in the third: 99 % of photographs have 30, a few plain shapes 24 at most
UNMOVED, UNPAINTED, FEWER = (0.01, 0.3), 8, 8  # scale and px, levels of a cell: so exact a match needs fewer witnesses
BLOCK, TOGETHER = 2048, 256


def near_pairs(survey, dataset, chosen, max_pixels, progress=None):
    """[(i, j, correlation, mirrored)] of near copies among the pictures `chosen` (indices), sorted.

    `progress(done, total)` is called now and then. Memory grows by some 300 bytes a picture.
    """
    spread = np.array([survey.thumbs[i].std() for i in chosen])
    chosen = chosen[(spread >= FLAT) & (survey.sizes()[chosen].min(1) >= LEAST_SIDE)]
    if len(chosen) < 2:
        return []
    first, second = candidates(*descriptors(survey.thumbs[chosen]), progress)
    first, second = chosen[first], chosen[second]
    kept = _same_shape(survey, first, second)
    found = []
    for start in range(0, kept.sum(), TOGETHER):
        some = np.flatnonzero(kept)[start : start + TOGETHER]
        found += _verified(survey, dataset, first[some], second[some], max_pixels)
        if progress:
            progress(start + len(some), int(kept.sum()))
    return sorted(found)


def descriptors(thumbs):
    """(even, odd), each float32 (N, 32), from thumbnails (N, 32, 32): 8 × 8 low cosine frequencies, of length 1.

    A mirror image has the same even and the negative of the odd part. High frequencies, of which natural pictures
    have less, count more.
    """
    from scipy.fft import dctn

    steps = np.arange(8)
    weight = np.sqrt(np.maximum(np.hypot(steps[:, None], steps), 1)).astype(np.float32)
    weight[0, 0] = 0
    parts = []
    for start in range(0, len(thumbs), BLOCK):
        values = thumbs[start : start + BLOCK].astype(np.float32)
        values = dctn(values, axes=(1, 2), norm="ortho")[:, :8, :8] * weight
        parts.append(values / np.maximum(np.linalg.norm(values, axis=(1, 2), keepdims=True), 1e-6))
    found = np.concatenate(parts)
    return found[:, :, ::2].reshape(-1, 32), found[:, :, 1::2].reshape(-1, 32)


def candidates(even, odd, progress=None):
    """(i, j), int64 arrays with i < j: pairs above ALIKE, mirrored or not, at most PARTNERS for each i."""
    count, found = len(even), []
    for top in range(0, count, BLOCK):
        best = [[] for _ in range(min(BLOCK, count - top))]
        for left in range(top, count, BLOCK):
            alike = even[top : top + BLOCK] @ even[left : left + BLOCK].T
            alike += np.abs(odd[top : top + BLOCK] @ odd[left : left + BLOCK].T)
            rows, columns = np.nonzero(alike > ALIKE)
            later = columns + left > rows + top
            rows, columns = rows[later], columns[later]
            _keep_best(best, rows, columns + left, alike[rows, columns])
        if progress:
            rest = max(count - top - BLOCK, 0)
            progress(count**2 - rest**2, count**2)
        found += [(row + top, column) for row, pairs in enumerate(best) for _, column in pairs]
    pairs = np.array(found, np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _keep_best(best, rows, columns, values):
    """Add the pairs to the lists `best` of (-value, column), keeping the PARTNERS best of each row."""
    bounds = [*np.flatnonzero(np.diff(rows, prepend=-1)), len(rows)]
    for start, end in itertools.pairwise(bounds):
        order = start + np.argsort(-values[start:end], kind="stable")[:PARTNERS]
        row = best[rows[start]]
        row += [(-float(values[i]), int(columns[i])) for i in order]
        row.sort()
        del row[PARTNERS:]


def _same_shape(survey, first, second):
    """bool (P,): pairs whose aspect and mean colour could be a copy's."""
    sizes = survey.sizes().astype(np.float64)
    aspect = sizes[:, 1] / np.maximum(sizes[:, 0], 1)
    ratio = aspect[first] / aspect[second]
    mean = survey.colours.astype(np.float32).mean((1, 2))
    difference = np.abs(mean[first] - mean[second]).max(1)
    return (np.maximum(ratio, 1 / ratio) <= SHAPES) & (difference <= COLOUR)


def _verified(survey, dataset, first, second, max_pixels):
    """The pairs that are near copies, as (i, j, correlation, mirrored)."""
    moving, still = (survey.thumbs[part].astype(np.float32) for part in (first, second))
    even, odd = zip(descriptors(survey.thumbs[first]), descriptors(survey.thumbs[second]), strict=True)
    mirrored = (odd[0] * odd[1]).sum(1) < 0
    moving[mirrored] = moving[mirrored, :, ::-1]
    places = alignment.fit(moving, still)
    kept = np.flatnonzero(alignment.likeness(moving, still, places).correlation > PLAUSIBLE)
    read = _read_again(survey, dataset, np.concatenate([first[kept], second[kept]]), max_pixels)
    kept = np.array([k for k in kept if first[k] in read and second[k] in read], np.int64)
    if not len(kept):
        return []
    moving, still = (np.stack([read[i] for i in part[kept]]) for part in (first, second))
    flip = mirrored[kept]
    moving[flip] = moving[flip, :, ::-1]
    grids = [survey.colours[part[kept]].astype(np.int16) for part in (first, second)]
    grids[0][flip] = grids[0][flip, :, ::-1]
    unpainted = np.abs(grids[0] - grids[1]).max((1, 2, 3)) <= UNPAINTED
    same, good = np.zeros(len(kept)), np.zeros(len(kept), bool)
    for one, other in ((moving, still), (still, moving)):  # what is a crop of the other is surer found from that side
        places = alignment.enlarged(alignment.fit(alignment.halved(one), alignment.halved(other)))
        like = alignment.likeness(one, other, places)
        same, good = np.maximum(same, like.correlation), good | _sure(like, places, unpainted)
    rows = zip(first[kept], second[kept], same, flip, good, strict=True)
    return [(int(i), int(j), float(value), bool(turn)) for i, j, value, turn, yes in rows if yes]


def _sure(like, places, unpainted):
    """bool (P,): which of the `alignment.Likeness` are of copies; one that did not move at all is sooner believed."""
    unmoved = (np.abs(places - alignment.STILL) < UNMOVED * 2).all(1) & unpainted
    fits = (like.correlation > SAME) & (like.worst < WORST) & (like.slip < SLIP)
    detailed = (like.witnesses >= WITNESSES) & (like.worst_slip < WORST_SLIP)
    return fits & (detailed | (unmoved & (like.witnesses >= FEWER)))


def _read_again(survey, dataset, chosen, max_pixels):
    """{index: thumbnail float32 (64, 64)} of the pictures `chosen`, without those that vanished."""
    look = graph(max_pixels)
    read = {i: looked_again(survey, dataset, i, lambda data: look(data)[1].numpy()) for i in np.unique(chosen)}
    return {i: thumb.astype(np.float32) for i, thumb in read.items() if thumb is not None}
