"""Slices: is the model as good on every kind of picture? By a table's columns, and by what the pictures look like.

A slice is weak if its whole 95 % interval lies below that of all other samples. Two such intervals are that far apart
by chance in about one slice of 200.
"""

import numpy as np

from kcnn.evaluation.intervals import of_share

FEWEST_VALUES, MOST_VALUES = 2, 20
SMALL = 10  # samples, below which nothing is said of a slice
QUARTERS = (0.25, 0.5, 0.75)


def slices(right, weights, groups):
    """[{by, value, samples, accuracy, interval, small, weak}] of every slice.

    right (N,) in 0–1: how right each sample is answered; groups {by: [(value, bool mask (N,))]}.
    """
    right, weights = np.asarray(right, np.float64), np.asarray(weights, np.float64)
    return [_slice(right, weights, by, value, mask) for by, parts in groups.items() for value, mask in parts]


def _slice(right, weights, by, value, mask):
    inside, outside = of_share(right[mask], weights[mask]), of_share(right[~mask], weights[~mask])
    number = int(mask.sum())
    small = number < SMALL or inside is None
    return {
        "by": by,
        "value": value,
        "samples": number,
        "accuracy": None if inside is None else float(np.average(right[mask], weights=weights[mask])),
        "interval": inside,
        "small": small,
        "weak": not small and outside is not None and inside[1] < outside[0],
    }


def column_groups(columns, leave_out=()):
    """Groups of each of `columns` {name: (N,) str} that has 2 to 20 values; quarters of a column of more numbers.

    Columns in `leave_out`, and those of a single value or of too many words, make no slices.
    """
    groups = {}
    for name, values in columns.items():
        values = np.array([str(value).strip() for value in values])
        distinct = np.unique(values)
        if name in leave_out or len(distinct) < FEWEST_VALUES:
            continue
        if len(distinct) <= MOST_VALUES:
            groups[name] = [(value or "(empty)", values == value) for value in _in_order(distinct)]
        elif (numbers := _numbers(values)) is not None:
            groups |= number_groups(name, numbers)
    return groups


def _in_order(distinct):
    """Numbers by size, words by the alphabet."""
    numbers = _numbers(distinct)
    return distinct.tolist() if numbers is None else distinct[np.argsort(numbers, kind="stable")].tolist()


def _numbers(values):
    """float (N,) with NaN where a cell is empty; None if any other cell is no number."""
    try:
        return np.array([float(value) if value else np.nan for value in values])
    except ValueError:
        return None


def picture_groups(headers, brightness):
    """Groups by size in pixels, aspect ratio and brightness, in quarters of this split; {} for what is unknown or even.

    headers: int32 (N, 5) as the check read them, or None; brightness (N,) 0–255, or None.
    """
    groups = {}
    if headers is not None:
        upright = np.where(headers[:, 4:] > 4, headers[:, 2:0:-1], headers[:, 1:3]).astype(np.float64)
        groups |= number_groups("shorter side, pixels", upright.min(1))
        groups |= number_groups("width / height", upright[:, 1] / np.maximum(upright[:, 0], 1))
    if brightness is not None:
        groups |= number_groups("brightness, 0 to 255", np.asarray(brightness, np.float64))
    return groups


def number_groups(name, numbers):
    """{name: [(range as text, mask)]}: one group a value up to four values, else quarters; {} if all are alike."""
    known = numbers[np.isfinite(numbers)]
    distinct = np.unique(known)
    if len(distinct) < FEWEST_VALUES:
        return {}
    if len(distinct) <= len(QUARTERS) + 1:
        return {name: [(f"{value:.4g}", numbers == value) for value in distinct]}
    edges = np.unique(np.quantile(known, QUARTERS, method="lower"))
    place = np.where(np.isfinite(numbers), np.searchsorted(edges, numbers, side="left"), -1)
    masks = [place == i for i in range(len(edges) + 1)]
    return {name: [(_span(numbers[mask]), mask) for mask in masks if mask.any()]}


def _span(values):
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low} to {high}"
