"""Scoring what answers in masks: figures, and the pictures to look at beside their masks and answers."""

from dataclasses import replace

import numpy as np

from kcnn import evaluation, models, views

CHOSEN_ON = "val"


def prepare(session, figures=None):
    """None: what the commonest class would score follows from the figures."""


def settled(head, reported):
    """The head with the margin that the {split: figures} of a report have found; its own where it has one."""
    found = reported.get(CHOSEN_ON, {}).get("margin", {}).get("value")
    return head if head.margin is not None else replace(head, margin=found)


def _margin(session, model, split, own, earlier):
    """{"value"} with which class 0 wins: the head's own, else that of val; where it is found, "without" it as well.

    without: the mean IoU without a margin.
    """
    if session.head.margin is not None or not (own and split == CHOSEN_ON):
        return {"value": settled(session.head, earlier).margin or 0.0}
    value, without = evaluation.best_margin(model, views.batches(session, split))
    return {"value": value, "without": without}


def judged(session, split, batches, ask):
    """The mean IoU of the answers of `ask`, a function of images, to `batches` of a split."""
    tally = evaluation.MaskTally(session.facts.class_names)
    for batch in batches:
        truth, index, weight = (batch[key].numpy() for key in ("mask", "index", "weight"))
        tally.add(truth, np.asarray(ask(batch["image"].numpy())["mask"]), index, weight)
    return tally.figures()["mean_iou"]


def score(session, split, own, prepared, earlier):
    """(figures, what `evaluation.shown_pictures` gives of them) of one split; see `scoring.score`."""
    samples, names = session.dataset.splits[split], session.facts.class_names
    model, seed = models.main_part(session.model), session.recipe.runtime.seed
    margin = _margin(session, model, split, own, earlier)
    head = replace(session.head, margin=margin["value"])
    tally = evaluation.tally_masks(model, head, views.batches(session, split), names, seed)
    figures = tally.figures(samples.names) | {"margin": margin}
    if own:
        identity = evaluation.identity_of(samples, names)
        evaluation.store_masks(session.folder.report, split, tally, samples.names, identity)
    shown = evaluation.shown_places(figures)
    if not len(shown):
        return figures, {}
    return figures, evaluation.shown_pictures(model, head, views.some(session, samples, shown))
