"""Exact copies: the same bytes, or other bytes that decode to the same pixels."""

import functools
import hashlib

import numpy as np
import tensorflow as tf

from kcnn.data.decode import decode
from kcnn.data.samples import Arrays
from kcnn.doctor.survey import looked_again


def exact_groups(survey, dataset, max_pixels):
    """int64 (N,): pictures of the same content have the same number; an unreadable one has a number of its own."""
    count = len(survey)
    _, group = np.unique(survey.digests, axis=0, return_inverse=True)
    group = group.reshape(-1) + count
    group[~survey.readable] = np.arange(count)[~survey.readable]
    merged = np.arange(2 * count)
    for same in _alike_thumbs(survey, group):
        by_pixels = {}
        for i in same:
            by_pixels.setdefault(_pixels(survey, dataset, i, max_pixels), []).append(group[i])
        for groups in by_pixels.values():
            merged[groups] = min(groups)
    group = merged[group]
    return np.unique(group, return_inverse=True)[1].reshape(-1)


def _alike_thumbs(survey, group):
    """Lists of one picture of each group, where thumbnails and sizes are the same and the bytes are not."""
    _, first = np.unique(group, return_index=True)
    first = first[survey.readable[first] & survey.thumbs[first].any((1, 2))]
    found, sizes = {}, survey.sizes()
    for i in first:
        key = hashlib.sha256(survey.thumbs[i]).digest(), survey.colours[i].tobytes(), sizes[i].tobytes()
        found.setdefault(key, []).append(int(i))
    return [same for same in found.values() if len(same) > 1]


def _pixels(survey, dataset, i, max_pixels):
    """A digest of the decoded picture; its own, compared already, of an array and of a file that vanished."""
    images = dataset.splits[survey.splits[i]].images
    if isinstance(images, Arrays):
        return survey.digests[i].tobytes()
    pixels = looked_again(survey, dataset, i, lambda data: _decoder(max_pixels)(data).numpy())
    if pixels is None:
        return survey.digests[i].tobytes()
    return hashlib.sha256(np.ascontiguousarray(pixels).data).digest()


@functools.lru_cache(4)
def _decoder(max_pixels):
    return tf.function(lambda data: decode(data, 3, max_pixels), [tf.TensorSpec([], tf.string)], autograph=False)
