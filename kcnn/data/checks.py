"""Checks before training: what cannot be read is named and set aside with the reason. Files are never changed.

Every picture is looked at once: its header first, so that a huge one is never decoded, then its pixels (a JPEG at an
eighth of its size, which still reads all of its data). What the headers say is kept, so that the stream need not read
them again.
"""

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from kcnn.data.decode import UNREADABLE, checked_header, decode_stored
from kcnn.data.headers import FORMATS, JPEG, upright_sizes
from kcnn.data.mask_values import mask_sizes
from kcnn.data.reading import MAX_BYTES
from kcnn.data.reasons import explain
from kcnn.data.samples import Arrays, Files
from kcnn.errors import UserError

TOGETHER = 256  # pictures handed to the threads at a time


@dataclass(frozen=True, eq=False)
class Examination:
    """What was seen of one split: `headers` int32 (N, 5) as in `Header`, `readable` bool (N,)."""

    headers: np.ndarray
    readable: np.ndarray


def check(dataset, options, progress=None, training=True):
    """The data set without what cannot be used, which is listed in its `set_aside` as (name, reason).

    `options`: recipe.Data. `progress(done, total)` is called now and then. Raises UserError where fewer than two
    classes are left to learn (unless it is not for `training`), or a split has nothing readable.
    """
    if training:
        _refuse_one_class(dataset)
    total, done, examined = sum(len(samples) for samples in dataset.splits.values()), 0, {}
    for name, samples in dataset.splits.items():
        tell = progress and (lambda n, before=done: progress(before + n, total))
        examined[name] = examine(samples.images, options.max_pixels, tell)
        done += len(samples)
    return keep_readable(dataset, examined, options, training)


def keep_readable(dataset, examined, options, training=True):
    """`check` after every picture was looked at: `examined` is {split: Examination}."""
    splits, set_aside = {}, list(dataset.set_aside)
    for name, samples in dataset.splits.items():
        seen, misfits = examined[name], mask_misfits(samples, examined[name])
        bad = sorted({*np.flatnonzero(~seen.readable).tolist(), *misfits})
        reasons = [
            (samples.names[i], misfits.get(i) or explain(samples.images, i, options.max_pixels).text) for i in bad
        ]
        set_aside += reasons
        if len(bad) == len(samples):
            what = "used" if misfits else "read"
            example = f"{reasons[0][0]}: {reasons[0][1]}"
            raise UserError(f"no picture of split {name!r} can be {what} ({len(bad)} looked at; {example})")
        readable = seen.readable.copy()
        readable[bad] = False
        splits[name] = _keep(samples, replace(seen, readable=readable))
    checked = replace(dataset, splits=splits, set_aside=set_aside)
    if training:
        _refuse_one_class(checked)
    return checked


def mask_misfits(samples, examined):
    """{place: reason} of readable pictures whose masks or boxes are of another size; they lie on upright pictures."""
    what, masks = _stated(samples)
    if masks is None:
        return {}
    sizes = upright_sizes(examined.headers)
    found = {}
    for i in np.flatnonzero(examined.readable & (sizes != masks).any(1)).tolist():
        turned = examined.headers[i, 4] > 4 and (masks[i] == sizes[i][::-1]).all()
        hint = f", which EXIF turns: turn the {what}, too" if turned else ""
        (height, width), (own_height, own_width) = masks[i].tolist(), sizes[i].tolist()
        lie = "its mask is" if what == "mask" else "its boxes are for"
        found[i] = f"{lie} {width}x{height}, the picture {own_width}x{own_height}{hint}"
    return found


def _stated(samples):
    """("mask" or "boxes", int32 (N, 2): the sizes of the pictures that these lie on, None where nothing says)."""
    if samples.objects is not None:
        return "boxes", samples.objects.sizes
    flat = samples.masks is not None and not (isinstance(samples.masks, Arrays) and samples.masks.values.ndim != 3)
    return "mask", mask_sizes(samples.masks) if flat else None


def examine(images, max_pixels, progress=None):
    """The `Examination` of `images` (Files, Encoded or Arrays), in parallel and in bounded memory."""
    if isinstance(images, Arrays):
        return _examine_array(images.values)
    from_files = isinstance(images, Files)
    items = images.paths if from_files else images
    graph = _looker(from_files, max_pixels)

    def look(item):
        try:
            too_long = from_files and os.path.getsize(item) > MAX_BYTES
            return None if too_long else graph(tf.constant(item, tf.string)).numpy()
        except (OSError, *UNREADABLE):
            return None

    headers, readable = np.zeros([len(items), 5], np.int32), np.zeros(len(items), bool)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(items), TOGETHER):
            some = [items[i] for i in range(start, min(start + TOGETHER, len(items)))]
            for i, header in enumerate(pool.map(look, some), start):
                readable[i] = header is not None
                headers[i] = 0 if header is None else header
            if progress:
                progress(min(start + TOGETHER, len(items)))
    return Examination(headers, readable)


@functools.lru_cache(4)
def _looker(from_files, max_pixels):
    """A graph from a path or bytes to the header (5,), which fails where the picture cannot be read; built once."""

    def look(item):
        return _look(tf.io.read_file(item) if from_files else item, max_pixels)

    return tf.function(look, [tf.TensorSpec([], tf.string)], autograph=False)


def _look(data, max_pixels):
    header = checked_header(data, max_pixels)
    picture = tf.cond(
        header.format == JPEG,
        lambda: tf.io.decode_jpeg(data, channels=3, ratio=8, dct_method="INTEGER_ACCURATE"),
        lambda: decode_stored(data, header, 3),
    )
    with tf.control_dependencies([picture]):
        return tf.stack(header)


def _examine_array(values):
    if values.dtype == np.uint8:
        readable = np.ones(len(values), bool)
    else:
        readable = np.array([np.isfinite(value).all() for value in values], bool)
    height, width = (*values.shape[1:3], 1, 1)[:2]
    header = [FORMATS.index("unknown"), height, width, values.shape[-1], 1]
    return Examination(np.tile(np.int32(header), (len(values), 1)), readable)


def _keep(samples, examined):
    kept = np.flatnonzero(examined.readable)
    if not isinstance(samples.images, Arrays):
        samples = replace(samples, images=replace(samples.images, headers=examined.headers))
    return samples if len(kept) == len(samples) else samples.take(kept)


def _refuse_one_class(dataset):
    if dataset.task == "boxes":  # one class is enough: it is told from the background
        if not sum(dataset.class_counts("train")):
            raise UserError("the training pictures have no objects: there is nothing to learn")
        return
    counts = dataset.class_counts("train") if not dataset.multi_label else ()
    present = [name for name, count in zip(dataset.class_names, counts, strict=False) if count]
    if not dataset.multi_label and len(present) < 2:
        found = f"one class ({present[0]})" if present else "no class"
        if dataset.task == "masks":
            raise UserError(f"the training masks have {found}; a network learns to tell two or more apart")
        hint = "; ".join(note for note in dataset.notes if "sub-folders" in note)
        raise UserError(
            f"the training pictures have {found}; a classifier needs two or more: give each class a folder, name or "
            f"number of its own{'; ' + hint if hint else ''}"
        )
