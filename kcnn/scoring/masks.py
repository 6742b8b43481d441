"""Scoring what answers in masks: figures, and pictures beside their masks and answers."""

import numpy as np

from kcnn import evaluation, models, views


def prepare(session, needed=True):
    """Nothing: masks are compared with no probe."""


def known(figures):
    """Nothing is to be prepared, so all is known."""
    return True


def score(session, split, own, prepared, earlier):
    """(figures, {"best", "typical", "worst": [(picture, mask, answer)]}) of one split; see `scoring.score`."""
    samples, names = session.dataset.splits[split], session.facts.class_names
    model, seed = models.main_part(session.model), session.recipe.runtime.seed
    figures = evaluation.measure_masks(model, session.head, views.batches(session, split), names, samples.names, seed)
    ask = evaluation.answer(model, session.head)
    return figures, {kind: _triples(session, samples, ask, rows) for kind, rows in figures["shown"].items()}


def _triples(session, samples, ask, rows):
    """[(picture, mask, answer)] of the samples that `rows` name."""
    index = np.array([row["index"] for row in rows], np.int64)
    if not len(index):
        return []
    batch = next(iter(views.some(session, samples, index)))
    return list(
        zip(*(part.numpy() for part in (batch["image"], batch["mask"], ask(batch["image"])["mask"])), strict=True)
    )
