"""Data that comes with the installed libraries, so that a first run needs no network."""

import numpy as np

from kcnn.data.samples import Arrays, DataSet, Samples, numbered
from kcnn.data.splits import hold_out
from kcnn.registry import Registry

BUILTIN = Registry("built-in data set")
OBJECTS = Registry("built-in data set with objects")


def read(address, options, seed):
    """The built-in data set "builtin:NAME"."""
    return BUILTIN[address.partition(":")[2]](options, seed)


def objects(address, options, seed, outlines):
    """The same with objects, where it has some."""
    name = address.partition(":")[2]
    return OBJECTS[name](outlines) if name in OBJECTS else read(address, options, seed)


@BUILTIN.register("digits")
def digits(options, seed):
    """1 797 handwritten digits, 8x8 grey, that scikit-learn carries; a stratified fifth is the test split.

    The 17 grey levels of the original (0 to 16) become 0 to 255.
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    values = np.rint(found.images[..., None] * (255 / 16)).astype(np.uint8)
    everything = Samples(Arrays(values), found.target.astype(np.int32), numbered(len(values), "digit"))
    held = hold_out(everything, 0.2, seed, "test")
    splits = {"train": everything.take(np.flatnonzero(~held)), "test": everything.take(np.flatnonzero(held))}
    return DataSet(splits, tuple("0123456789"), False, "built-in digits, 8x8 grey, a fifth held out as test")
