"""A session's score on changed pictures of one split."""

import numpy as np
import tensorflow as tf

from kcnn import models, scoring, training, views
from kcnn.errors import UserError
from kcnn.robustness.attacks import ATTACKS, EPSILONS
from kcnn.robustness.corruptions import LEVELS, corrupted, fitting

SHOWN = 64  # pictures at most of which one with something to see is shown


def measure(session, split, limit):
    """What the report says of robustness, as a JSON-able dict; a picture of each corruption as well, see `example`.

    samples; metric, the head's main one; clean: its value on pictures as they are; corruptions: {name: its value at
    each of five strengths}; corrupted: the mean of all of these; epsilons: largest changes in grey levels of 255;
    attacks: {name: its value at each}. Not more than `limit` pictures of the split are looked at, drawn by the seed.
    Raises `UserError` where the samples are no pictures.
    """
    facts = session.facts
    if facts.measured or len(facts.input_shape) != 3 or facts.input_shape[-1] not in (1, 3):
        raise UserError("corruptions and attacks are of pictures, and this run sees other numbers")
    if split not in session.dataset.splits:
        raise UserError(f"this data has no split {split!r}; it has {', '.join(session.dataset.splits)}")
    if limit < 1:
        raise UserError(f"limit is {limit}: it must be 1 or more")
    scoring.log_use(session.folder, split)
    session, seed = views.limited(session, split, limit), session.recipe.runtime.seed
    model = models.main_part(session.model)
    engine, metric = training.Engine(model, session.head), session.head.main_metric
    judge = scoring.JUDGED.get(session.head.task)

    def scored(change=None):
        batches = _changed(views.batches(session, split), change or (lambda batch: batch["image"]))
        return float(engine.evaluate(batches, judge and judge(session, split))[metric])

    def under(name, level):
        return scored(lambda batch: corrupted(batch["image"].numpy(), name, level, seed))

    ascent = _ascent(model, session.head)

    def attacked(name, epsilon):
        rng = np.random.default_rng(seed)
        return scored(lambda batch: ATTACKS[name](partial_of(ascent, batch), _float(batch["image"]), epsilon, rng))

    names = fitting(facts.input_shape[-1])
    corruptions = {name: [under(name, level + 1) for level in range(LEVELS)] for name in names}
    return {
        "split": split,
        "samples": len(session.dataset.splits[split]),
        "metric": metric,
        "clean": scored(),
        "corruptions": corruptions,
        "corrupted": float(np.mean(list(corruptions.values()))),
        "epsilons": list(EPSILONS),
        "attacks": {name: [attacked(name, epsilon) for epsilon in EPSILONS] for name in ATTACKS},
    }


def example(session, split, seed=0):
    """{corruption: (LEVELS + 1, H, W, C) uint8}: the most varied of some pictures, as it is and corrupted."""
    samples = session.dataset.splits[split]
    batch = next(iter(views.some(session, samples, np.arange(SHOWN))))
    images = batch["image"].numpy()[batch["index"].numpy() >= 0]
    one = images[images.reshape(len(images), -1).std(1).argmax()][None]
    return {
        name: np.concatenate([one] + [corrupted(one, name, level + 1, seed) for level in range(LEVELS)])
        for name in fitting(one.shape[-1])
    }


def partial_of(ascent, batch):
    """`ascent` on pictures alone, the rest of the `batch` being as it is."""
    return lambda images: ascent(tf.constant(images), {key: x for key, x in batch.items() if key != "image"}).numpy()


def _ascent(model, head):
    """(images, the rest of their batch) → the gradient of the head's loss, each picture by itself."""

    @tf.function(reduce_retracing=True)
    def ascent(image, rest):
        with tf.GradientTape() as tape:
            tape.watch(image)
            total, _ = head.loss(head.targets(rest | {"image": image}), model(image, training=False))
        return tape.gradient(total, image)

    return ascent


def _changed(batches, change):
    for batch in batches:
        yield batch | {"image": tf.cast(change(batch), tf.float32)}


def _float(image):
    return image.numpy().astype(np.float32)
