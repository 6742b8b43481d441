"""Scoring what answers in masks: figures, and the pictures to look at beside their masks and answers."""

from kcnn import evaluation, models, views


def prepare(session, figures=None):
    """None: what the commonest class would score follows from the figures."""


def score(session, split, own, prepared, earlier):
    """(figures, what `evaluation.shown_pictures` gives of them) of one split; see `scoring.score`."""
    samples, names = session.dataset.splits[split], session.facts.class_names
    model, seed = models.main_part(session.model), session.recipe.runtime.seed
    tally = evaluation.tally_masks(model, session.head, views.batches(session, split), names, seed)
    figures = tally.figures(samples.names)
    if own:
        identity = evaluation.identity_of(samples, names)
        evaluation.store_masks(session.folder.report, split, tally, samples.names, identity)
    shown = evaluation.shown_places(figures)
    if not len(shown):
        return figures, {}
    return figures, evaluation.shown_pictures(model, session.head, views.some(session, samples, shown))
