"""One look at every picture, streamed: what it is, its sha256, and a thumbnail by which copies are found.

The decoder is training's own. What stays in memory is about 1.5 kB a picture, whatever the pictures' size.
"""

import functools
import hashlib
import itertools
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kcnn.data.checks import TOGETHER, Examination, examine
from kcnn.data.decode import UNREADABLE, to_channels
from kcnn.data.headers import FORMATS, upright_sizes
from kcnn.data.mask_values import mask_of
from kcnn.data.reading import file_bytes
from kcnn.data.samples import Arrays, Files
from kcnn.doctor.marks import marks_of
from kcnn.doctor.thumbnails import CELLS, SIDE, graph, halved, reduced


@dataclass(frozen=True, eq=False)
class Survey:
    """What was seen of N pictures, split after split.

    `headers` int32 (N, 5) as in `Header`; `readable` bool (N,); `digests` uint8 (N, 32) of the stored bytes; `thumbs`
    uint8 (N, 32, 32) grey, upright, all of the picture whatever its shape; `colours` uint8 (N, 4, 4, 3); `marks` a
    set of findings' names each; `splits`, `names`, `labels` (N,) of str; `places` (N,) in the split's samples;
    `answers` (N,) of str: what is to be learned of each, the label or a digest of the mask.
    """

    headers: np.ndarray
    readable: np.ndarray
    digests: np.ndarray
    thumbs: np.ndarray
    colours: np.ndarray
    marks: list
    splits: np.ndarray
    names: np.ndarray
    labels: np.ndarray
    places: np.ndarray
    answers: np.ndarray

    def __len__(self):
        return len(self.readable)

    def sizes(self):
        """int32 (N, 2): upright height and width."""
        return upright_sizes(self.headers)

    def examination(self, split):
        """The `Examination` of one split, as data.checks makes it."""
        mine = self.splits == split
        return Examination(self.headers[mine], self.readable[mine])


def survey(dataset, options, progress=None):
    """The `Survey` of a loaded `DataSet` under `options` (recipe.Data); `progress(done, total)` is called now and then.

    The splits come in the order of their names.
    """
    total, done, parts = sum(map(len, dataset.splits.values())), 0, []
    for split, samples in sorted(dataset.splits.items()):
        tell = progress and (lambda n, before=done: progress(before + n, total))
        parts.append((*_seen(samples.images, options.max_pixels, tell), *_told(dataset, split, samples)))
        done += len(samples)
    joined = (list(itertools.chain(*part)) if isinstance(part[0], list) else np.concatenate(part)
              for part in zip(*parts, strict=True))  # fmt: skip
    return Survey(*joined)


def _told(dataset, split, samples):
    names = np.array(dataset.class_names, object)
    if samples.labels.ndim == 1:
        labels = names[samples.labels]
    else:
        labels = np.array(["|".join(names[row > 0.5]) or "none" for row in samples.labels], object)
    splits = np.full(len(samples), split, object)
    answers = labels if samples.masks is None else _digests(samples.masks)
    return splits, np.asarray(samples.names, object), labels, np.arange(len(samples)), answers


def _digests(masks):
    """(N,) of str: equal for masks of equal class numbers."""
    each = (np.ascontiguousarray(mask_of(masks, i)).data for i in range(len(masks)))
    return np.array([hashlib.sha256(values).hexdigest() for values in each], object)


def _seen(images, max_pixels, progress):
    """(headers, readable, digests, thumbs, colours, marks) of one split."""
    count = len(images)
    digests, marks = np.zeros([count, 32], np.uint8), [frozenset()] * count
    thumbs, colours = np.zeros([count, SIDE, SIDE], np.uint8), np.zeros([count, CELLS, CELLS, 3], np.uint8)
    if isinstance(images, Arrays):
        examined = examine(images, max_pixels)
        _see_array(images.values, digests, thumbs, colours, progress)
        return examined.headers, examined.readable, digests, thumbs, colours, marks
    headers, readable = np.zeros([count, 5], np.int32), np.zeros(count, bool)
    look = functools.partial(_look_at, images, max_pixels)
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # of Pillow, about files that are odd
        for start in range(0, count, TOGETHER):
            for i, found in enumerate(pool.map(look, range(start, min(start + TOGETHER, count))), start):
                digests[i] = np.frombuffer(found[0], np.uint8)
                if found[1] is not None:
                    readable[i], (headers[i], thumbs[i], colours[i], marks[i]) = True, found[1]
            if progress:
                progress(min(start + TOGETHER, count))
    return headers, readable, digests, thumbs, colours, marks


def _look_at(images, max_pixels, place):
    """(digest, (header, thumbnail, colours, marks) or None) of one picture."""
    try:
        data = encoded(images, place)
    except OSError:
        return bytes(32), None
    digest = hashlib.sha256(data).digest()
    try:
        header, thumb, colours = (part.numpy() for part in graph(max_pixels)(tf.constant(data, tf.string)))
    except UNREADABLE:
        return digest, None
    return digest, (header, halved(thumb), colours, marks_of(data, FORMATS[header[0]]))


def _see_array(values, digests, thumbs, colours, progress):
    """Fill in what is seen of an array of pictures (N, ...); only uint8 ones (N, H, W, 1 or 3) have thumbnails."""
    for start in range(0, len(values), TOGETHER):
        some = np.ascontiguousarray(values[start : start + TOGETHER])
        for i, value in enumerate(some, start):
            digests[i] = np.frombuffer(hashlib.sha256(value.data).digest(), np.uint8)
        if values.dtype == np.uint8 and values.ndim == 4:
            place = slice(start, start + len(some))
            small = tf.image.resize(to_channels(tf.constant(some), 3), (2 * SIDE, 2 * SIDE), antialias=True)
            grey, colours[place] = (part.numpy() for part in reduced(small))
            thumbs[place] = halved(grey)
        if progress:
            progress(start + len(some))


def encoded(images, place):
    """The stored bytes of one picture of Files or Encoded; raises OSError as `file_bytes` does."""
    return file_bytes(images.paths[place]) if isinstance(images, Files) else images[place]


def looked_again(survey, dataset, i, look):
    """`look(bytes)` of picture `i`, which was read before; None, and no longer `readable`, if it vanished since."""
    images = dataset.splits[survey.splits[i]].images
    try:
        if isinstance(images, Arrays):
            return look(tf.io.encode_png(images.values[survey.places[i]]))
        return look(tf.constant(encoded(images, survey.places[i]), tf.string))
    except (OSError, *UNREADABLE):
        survey.readable[i] = False
        return None
