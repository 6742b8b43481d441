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


def hold_out(samples, share, seed, purpose):
    """A bool mask (N,): the stratified `share` in [0, 1) that is held out for `purpose`, a word such as "val"."""
    count = len(samples)
    if count == 0 or share <= 0:
        return np.zeros(count, bool)
    groups, sizes = _groups(samples.labels)
    order = np.lexsort((_ranks(samples.names, seed, purpose), groups))
    held = np.zeros(count, bool)
    steps = np.floor(np.arange(count + 1) * share + 0.5)
    held[order] = steps[1:] > steps[:-1]
    if samples.labels.ndim == 1:
        held &= sizes > 1
    return held


def divide(splits, options, seed):
    """Hold out what the data does not bring: test, then the limit on training pictures, then val.

    `splits` is a dict with at least "train"; `options` is recipe.Data. Returns a new dict; the order of the
    training pictures is kept.
    """
    splits = dict(splits)
    if options.test and "test" not in splits:
        _move(splits, "test", options.test, seed)
    train = splits["train"]
    if options.limit and options.limit < len(train):
        kept = hold_out(train, options.limit / len(train), seed, "limit")
        splits["train"] = train.take(np.flatnonzero(kept)[: options.limit])
    if options.validation and "val" not in splits:
        _move(splits, "val", options.validation, seed)
    return {name: samples for name, samples in splits.items() if len(samples)}


def _move(splits, name, share, seed):
    held = hold_out(splits["train"], share, seed, name)
    splits[name] = splits["train"].take(np.flatnonzero(held))
    splits["train"] = splits["train"].take(np.flatnonzero(~held))


def _groups(labels):
    """(group number, size of the group) of each sample: one group a class, or a set of labels."""
    _, groups, counts = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
    groups = groups.reshape(-1)
    return groups, counts[groups]


def _ranks(names, seed, purpose):
    """A pseudo-random number a name: adding a picture leaves the others' numbers alone."""
    key = f"{seed}\0{purpose}".encode()
    digests = (hashlib.blake2b(str(name).encode("utf-8", "surrogateescape"), digest_size=8, key=key) for name in names)
    return as_strings([d.hexdigest() for d in digests]).astype(str)
