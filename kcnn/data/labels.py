"""Labels as users write them, made into what the heads want: numbers, or one column a class."""

import numpy as np

from kcnn.errors import UserError


def class_order(names):
    """Class names in order: by value if all are whole numbers ("2" before "10"), else by spelling."""
    names = {str(name) for name in names}
    if names and all(name.isdecimal() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def from_names(names, class_names=None):
    """(labels int32 (N,), class names) from one name a picture."""
    class_names = class_names or class_order(names)
    number = {name: i for i, name in enumerate(class_names)}
    return np.array([number[str(name)] for name in names], np.int32).reshape(-1), class_names


def from_sets(sets, class_names=None):
    """(labels float32 (N, K) of zeros and ones, class names) from several names a picture."""
    class_names = class_names or class_order(name for names in sets for name in names)
    number = {name: i for i, name in enumerate(class_names)}
    labels = np.zeros((len(sets), len(class_names)), np.float32)
    for row, names in zip(labels, sets, strict=True):
        row[[number[name] for name in names]] = 1
    return labels, class_names


def translated(labels, names, known):
    """`labels` by the classes `names` as labels by the classes `known`, which may be more, or in another order.

    Raises UserError naming the classes that occur and are not known.
    """
    occur = labels.any(0) if labels.ndim == 2 else np.bincount(labels, minlength=len(names)) > 0
    if unknown := [name for name, there in zip(names, occur, strict=True) if there and name not in known]:
        raise UserError(f"{', '.join(map(repr, unknown[:5]))} not among {', '.join(known)}")
    place = [known.index(name) if name in known else -1 for name in names]
    if labels.ndim == 1:
        return np.array(place, np.int32)[labels]
    columns = np.zeros((len(labels), len(known)), labels.dtype)
    for k, column in enumerate(place):
        if column >= 0:
            columns[:, column] = labels[:, k]
    return columns


def from_arrays(splits, class_names=None):
    """({split: labels}, class names, multi_label) from {split: y}.

    Each y is (N,) or (N, 1) of numbers or strings, or (N, K) with one column a class: one-hot, several ones
    (multi-label), or shares that sum to 1 (soft labels).
    """
    splits = {name: _flat(y, name) for name, y in splits.items()}
    ranks = {y.ndim for y in splits.values()}
    if len(ranks) != 1:
        raise UserError("labels must be written the same way in every split: all (N,) or all (N, classes)")
    if ranks == {2}:
        return _columns(splits, class_names)
    if any(y.dtype.kind not in "iub" for y in splits.values()):
        return _spelled(splits, class_names)
    return _numbers(splits, class_names)


def _flat(y, split):
    try:
        y = np.asarray(y)
    except ValueError:
        rule = "give (N,), or (N, classes) with one column a class"
        raise UserError(f"labels of split {split!r} are lists of several lengths; {rule}") from None
    if y.dtype.kind == "f" and y.ndim == 1 and np.all(y == np.floor(y)):
        y = y.astype(np.int64)
    if y.ndim == 2 and y.shape[1] == 1 and y.dtype.kind in "iubUSO":
        y = y[:, 0]
    if y.ndim not in (1, 2):
        raise UserError(f"labels of split {split!r} must have shape (N,) or (N, classes), not {y.shape}")
    if y.ndim == 1 and y.dtype.kind == "f":
        raise UserError(f"labels of split {split!r} must be class numbers or names, not fractions such as {y[0]}")
    return y


def _spelled(splits, class_names):
    text = {name: [v.decode() if isinstance(v, bytes) else str(v) for v in y] for name, y in splits.items()}
    found = {v for values in text.values() for v in values}
    names = tuple(map(str, class_names)) if class_names else class_order(found)
    if found - set(names):
        raise UserError(f"label {sorted(found - set(names))[0]!r} is not among class_names")
    return {name: from_names(values, names)[0] for name, values in text.items()}, names, False


def _numbers(splits, class_names):
    lowest = min((int(y.min()) for y in splits.values() if len(y)), default=0)
    highest = max((int(y.max()) for y in splits.values() if len(y)), default=-1)
    if lowest < 0:
        raise UserError(f"labels must be class numbers from 0 up, not {lowest}")
    names = tuple(map(str, class_names)) if class_names else tuple(map(str, range(highest + 1)))
    if highest >= len(names):
        raise UserError(f"label {highest} has no name: class_names has {len(names)}")
    seen = sum(len(np.unique(y)) for y in splits.values())
    if highest >= 10_000 and highest > 10 * seen:
        raise UserError(f"labels go up to {highest}; number the classes from 0 without gaps, or give them as text")
    return {name: y.astype(np.int32) for name, y in splits.items()}, names, False


def _columns(splits, class_names):
    splits = {name: y.astype(np.float32) for name, y in splits.items()}
    widths = {y.shape[1] for y in splits.values()}
    if len(widths) != 1 or (class_names and widths != {len(class_names)}):
        raise UserError(f"labels must have one column a class in every split; columns found: {sorted(widths)}")
    names = tuple(map(str, class_names)) if class_names else tuple(map(str, range(widths.pop())))
    if any(not (np.isfinite(y).all() and (y >= 0).all() and (y <= 1).all()) for y in splits.values()):
        raise UserError("labels with one column a class must lie between 0 and 1")
    if all(np.allclose(y.sum(1), 1, atol=1e-3) for y in splits.values()):
        if all(((y == 0) | (y == 1)).all() for y in splits.values()):
            return {name: y.argmax(1).astype(np.int32) for name, y in splits.items()}, names, False
        return splits, names, False
    return splits, names, True
