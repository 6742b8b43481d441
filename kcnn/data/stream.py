"""Batches: one endless stream of global sample numbers for training, one pass in order for everything else.

Sample number g belongs to epoch g // n; its picture is a stateless shuffle of g mod n under (seed, epoch), its
random numbers a hash of (seed, epoch, picture). So a batch is the same whatever the start, the number of threads
and what was read before, and resuming is starting at g.
"""

import functools
import operator

import numpy as np
import tensorflow as tf

from kcnn.data import draws as drawing
from kcnn.data import finishing, pictures
from kcnn.data.decode import as_it_is
from kcnn.data.frames import sizes_of
from kcnn.data.mask_frames import MaskFrames
from kcnn.data.object_frames import ObjectFrames
from kcnn.data.program import Program
from kcnn.errors import UserError
from kcnn.recipe import Augment, Data

MAX_PIXELS = Data().max_pixels


def batches(
    samples,
    frame,
    batch_size,
    *,
    training,
    num_classes,
    framing="crop",
    max_pixels=MAX_PIXELS,
    augment=None,
    seed=0,
    start=0,
    threads=None,
    shard=(0, 1),
):
    """A tf.data.Dataset of dicts: image (B, H, W, C) uint8 (float32 for float data), label, weight (B,), index (B,).

    `frame` is (H, W, C). `label` is int32 (B,), or float32 (B, K) for several, soft or mixed labels; `index` int64 is
    the sample's place in `samples`. Samples with masks have no label but a `mask` uint8 (B, *frame[:-1]) that follows
    its picture by the nearest pixel, `kcnn.masks.IGNORE` where the frame shows what lies outside. Samples with objects
    have neither, but `boxes` float32 (B, N, 4) in pixels of the frame and `classes` int32 (B, N), -1 where there is
    none, and, where they have outlines, `masks` bool (B, N, H, W); see `kcnn.data.instances`.

    training=True: endless, shuffled, with `augment` (recipe.Augment); `start` is the global sample number to start at,
    a multiple of `batch_size`. training=False: one pass in order; the last batch is filled up with samples of weight 0
    and index -1. `threads`: of the pipeline; None: tuned while running. The values do not depend on it.
    `shard`: (worker, workers): only this worker's part of each batch of `batch_size`, which must divide by `workers`;
    what mixes pictures in pairs stays within it.
    Raises UserError for a batch larger than the training data.
    """
    _check(len(samples), batch_size, start, training)
    augment = (augment or Augment()) if training else None
    threads = threads or tf.data.AUTOTUNE
    source = pictures.source(samples.images, frame, framing, max_pixels, augment)
    masks = None if samples.masks is None else MaskFrames(samples.masks, frame, framing, augment)
    objects = None
    if samples.objects is not None:
        objects, masks = ObjectFrames(samples.objects, sizes_of(samples.images), frame, framing, augment), None
    finish = finishing.finisher(samples, frame, num_classes, augment, objects)
    program = Program(augment, frame[-1])
    last = np.iinfo(np.int64).max // batch_size if training else -(-len(samples) // batch_size)
    numbers = tf.data.Dataset.range(start // batch_size, last)
    own = slice(*(batch_size // shard[1] * np.array([shard[0], shard[0] + 1])))
    plan = functools.partial(_training_plan if training else _ordered_plan, batch_size, own, len(samples), seed)
    stream = _map(numbers, plan, threads)
    parts = [
        source.prepare,
        lambda row: program.draw(row.get("draws")),
        *(part.prepare for part in (masks, objects) if part),
    ]
    stream = _map(stream, lambda row: functools.reduce(operator.or_, (part(row) for part in parts)), threads)

    def single(row):
        """(the picture of one sample of the plan after its program, what the batch needs of the sample)."""
        picture = row["picture"] if source.batched else source(row)
        kept = {key: row[key] for key in ("index", "draws") if key in row}
        kept |= {"mask": masks(row)} if masks else {}
        return program.run(picture, row), kept | (objects(row) if objects else {})

    if source.batched and not program.steps and all(part is None or part.batched for part in (masks, objects)):
        stream = _map(stream, lambda row: finish(row["picture"], row), threads)
    else:
        stream = _map(stream.unbatch(), single, threads).batch(own.stop - own.start, drop_remainder=True)
        stream = _map(stream, finish, threads)
    return stream.prefetch(2).with_options(_options(threads))


def _check(count, batch_size, start, training):
    if training and batch_size > count:
        fits = max(1, count // 4)
        raise UserError(
            f"train.batch_size is {batch_size} but there are {count} training pictures: --set train.batch_size={fits}"
        )
    if start % batch_size or (start and not training):
        raise ValueError(f"start {start} must be a multiple of the batch size {batch_size}, and 0 outside training")


def _map(stream, function, threads):
    return stream.map(as_it_is(function), threads)


def _training_plan(batch_size, own, count, seed, step):
    """{"index", "draws"} of the places `own` (a slice) of the batch number `step` of the endless stream."""
    number = step * batch_size + tf.range(own.start, own.stop, dtype=tf.int64)
    epoch = number // count
    index = tf.ensure_shape(drawing.order(number % count, count, seed, epoch), [own.stop - own.start])
    return {"index": index, "draws": drawing.uniform(seed, epoch, index)}


def _ordered_plan(batch_size, own, count, seed, step):
    index = step * batch_size + tf.range(own.start, own.stop, dtype=tf.int64)
    return {"index": tf.where(index < count, index, -1)}


def _options(threads):
    options = tf.data.Options()
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    if threads != tf.data.AUTOTUNE:
        options.threading.private_threadpool_size = threads
    return options
