"""Stratified splits that depend on the pictures' names and the seed alone, never on the order of reading.

Each class gives its share, up to one picture; a class of a single picture keeps it for training.
"""

import hashlib

import numpy as np

from kcnn.data.samples import as_strings

ALIASES = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}


def split_name(name):
    """The name used for a split: "validation" and "valid" mean "val", and so on; others stay as they are."""
    return ALIASES.get(name.strip().lower(), name.strip().lower() if name.lower() in KNOWN else name.strip())


KNOWN = {"train", "val", "test", *ALIASES}


def hold_out(samples, share, seed, purpose, groups=None):
    """A bool mask (N,): the stratified `share` in [0, 1) that is held out for `purpose`, a word such as "val".

    `groups` (N,) of str: pictures of one group are held out together or not at all, and no class is held out whole;
    "" is no group.
    """
    count = len(samples)
    if count == 0 or share <= 0:
        return np.zeros(count, bool)
    if groups is not None:
        return _hold_out_groups(samples, share, seed, purpose, groups)
    groups, sizes = _classes(samples.labels)
    order = np.lexsort((_ranks(samples.names, seed, purpose), groups))
    held = np.zeros(count, bool)
    steps = np.floor(np.arange(count + 1) * share + 0.5)
    held[order] = steps[1:] > steps[:-1]
    if samples.labels.ndim == 1:
        held &= sizes > 1
    return held


def _hold_out_groups(samples, share, seed, purpose, groups):
    """Group by group, in the order of their commonest class: one is held out while that brings the sum nearer."""
    names = np.array([f"group {g}" if g else f"picture {n}" for g, n in zip(groups, samples.names, strict=True)])
    classes, _ = _classes(samples.labels)
    units, unit, sizes = np.unique(names, return_inverse=True, return_counts=True)
    table = np.zeros([len(units), classes.max() + 1], np.int64)
    np.add.at(table, (unit, classes), 1)
    held, seen, out, left = np.zeros(len(units), bool), 0, 0, table.sum(0)
    for i in np.lexsort((_ranks(units, seed, purpose), table.argmax(1))):
        seen += sizes[i]
        needed = samples.labels.ndim == 1 and (left == table[i])[table[i] > 0].any()
        if not needed and out + sizes[i] / 2 <= share * seen:
            held[i], out, left = True, out + sizes[i], left - table[i]
    return held[unit]


def divide(splits, options, seed):
    """Hold out what the data does not bring: test, then the limit on training pictures, then val.

    `splits` is a dict with at least "train"; `options` is recipe.Data. Returns a new dict; the order of the
    training pictures is kept. Pictures of one data.group_column stay together.
    """
    splits = dict(splits)
    if options.test and "test" not in splits:
        _move(splits, "test", options.test, options, seed)
    train = splits["train"]
    if options.limit and options.limit < len(train):
        kept = hold_out(train, options.limit / len(train), seed, "limit")
        splits["train"] = train.take(np.flatnonzero(kept)[: options.limit])
    if options.validation and "val" not in splits:
        _move(splits, "val", options.validation, options, seed)
    return {name: samples for name, samples in splits.items() if len(samples)}


def _move(splits, name, share, options, seed):
    train = splits["train"]
    groups = train.columns[options.group_column] if options.group_column else None
    held = hold_out(train, share, seed, name, groups)
    splits[name], splits["train"] = train.take(np.flatnonzero(held)), train.take(np.flatnonzero(~held))


def _classes(labels):
    """(number, size) of the class of each sample; of several labels, each set that occurs counts as a class."""
    _, groups, counts = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
    groups = groups.reshape(-1)
    return groups, counts[groups]


def _ranks(names, seed, purpose):
    """A pseudo-random number a name: adding a picture leaves the others' numbers alone."""
    key = f"{seed}\0{purpose}".encode()
    digests = (hashlib.blake2b(str(name).encode("utf-8", "surrogateescape"), digest_size=8, key=key) for name in names)
    return as_strings([d.hexdigest() for d in digests]).astype(str)
