"""Views of a session's data: its splits as batches, and single samples, as its network sees them."""

from dataclasses import replace

import numpy as np

from kcnn import data


def batches(session, split, augment=None, start=0, shard=(0, 1)):
    """Batches of a split, or a shard of them: the endless training stream from sample `start`, or one plain pass."""
    recipe, facts = session.recipe, session.facts
    return data.batches(
        session.dataset.splits[split], facts.input_shape, recipe.train.batch_size, framing=facts.framing,
        max_pixels=facts.max_pixels, augment=augment, seed=recipe.runtime.seed, start=start,
        training=augment is not None, num_classes=facts.num_classes, threads=recipe.runtime.threads, shard=shard,
    )  # fmt: skip


def some(session, samples, index):
    """One pass over those of `samples` at `index` (n,), as one batch; places beyond the last are left out."""
    facts, index = session.facts, index[index < len(samples)]
    return data.batches(
        samples.take(index), facts.input_shape, len(index), framing=facts.framing, max_pixels=facts.max_pixels,
        training=False, num_classes=facts.num_classes,
    )  # fmt: skip


def limited(session, split, most):
    """The session with no split but this one, and of it at most so many samples, drawn by the seed."""
    samples, rng = session.dataset.splits[split], np.random.default_rng(session.recipe.runtime.seed)
    chosen = np.sort(rng.permutation(len(samples))[:most])
    return replace(session, dataset=replace(session.dataset, splits={split: samples.take(chosen)}))
