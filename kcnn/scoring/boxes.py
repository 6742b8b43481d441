"""Scoring what answers in boxes: COCO's figures, and the pictures to look at with truth and answers drawn."""

from dataclasses import replace

import numpy as np
import tensorflow as tf

from kcnn import evaluation, models, views


def judge(session, split):
    """A fresh `BoxTally` for the pictures of a split."""
    return evaluation.BoxTally(session.dataset.splits[split], session.facts)


def settled(head, reported):
    """The head that answers from the score on that the {split: figures} of a report found: of val, if it is there."""
    figures = reported.get("val") or next(iter(reported.values()), None)
    return replace(head, least=figures["threshold"]["score"]) if figures else head


def prepare(session, figures=None):
    """None: there is no answer without a network to compare with."""


def judged(session, split, batches, ask):
    """The mAP of the boxes in the answers of `ask`, a function of images, to `batches` of a split."""
    tally = judge(session, split)
    for batch in batches:
        found = ask(batch["image"].numpy())
        tally.add(batch, {name: tf.constant(found[name]) for name in ("boxes", "scores", "classes")})
    return tally.headline()["map"]


def score(session, split, own, prepared, earlier):
    """(figures, {"picture", "truth", "answer"} of what is shown) of one split; see `scoring.score`."""
    samples, model = session.dataset.splits[split], models.main_part(session.model)
    figures = evaluation.measure_boxes(
        model, session.head, views.batches(session, split), samples, session.facts, samples.names
    )
    shown = np.array([row["index"] for rows in figures["shown"].values() for row in rows], np.int64)
    if not len(shown):
        return figures, {}
    least = figures["threshold"]["score"]
    return figures, evaluation.shown_boxes(model, session.head, views.some(session, samples, shown), least)
