"""What a session trains: its network, in a precision, under an engine."""

import functools
import logging
from dataclasses import replace

import numpy as np

from kcnn import models, training, views
from kcnn.training import precision, runtime

log = logging.getLogger(__name__)


def build(recipe, facts, auxiliary=False):
    """(model, head) of a recipe and the facts of its data; with the family's `auxiliary` outputs if to be trained."""
    section = recipe.model
    options = {"num_classes": facts.num_classes, "multi_label": facts.multi_label}
    options |= {"top": section.top, "dropout": section.dropout, "label_smoothing": recipe.train.label_smoothing}
    options |= {"focal_gamma": recipe.train.focal_gamma, "class_weights": balanced(recipe, facts)}
    head = models.head_of(section.head, **options)
    with runtime.precision(recipe.runtime):
        model = models.build_model(
            section.architecture, head, input_shape=tuple(facts.input_shape), stem=section.stem, mean=facts.mean,
            std=facts.std, overrides=section.overrides, style=section.style,
            auxiliary=auxiliary and section.auxiliary,
        )  # fmt: skip
    return model, head


def balanced(recipe, facts):
    """One weight a class, mean 1 over the training pictures, if the recipe balances classes; else None."""
    if recipe.train.class_weights == "none":
        return None
    counts = np.maximum(np.array(facts.class_counts, np.float64), 1)
    return tuple(counts.sum() / len(counts) / counts)


def make_engine(session):
    """The `Engine` of a session's network under its recipe."""
    model, section, team = session.model, session.recipe.train, session.team
    with team.scope():
        optimizer = training.make_optimizer(section, model.trainable_variables, layer_rates(model, section.layer_decay))
        average = training.MovingAverage(model, section.ema) if section.ema else None
        forward = training.Rematerialized(model) if section.rematerialize else None
    make = training.ReplicatedEngine if team.replicas > 1 else training.Engine
    return make(
        model, session.head, optimizer, clip_norm=section.clip_norm, average=average, accumulate=section.accumulate,
        forward=forward, team=team,
    )  # fmt: skip


def layer_rates(model, decay):
    """{path: factor of the rate} of each weight: `decay` for the deepest level, its square before it, 1 behind it."""
    if decay == 1:
        return {}
    depths = models.depths(model)
    return {v.path: decay ** depths[layer.name] for layer in model.layers for v in layer.weights}


def twin(session, recipe):
    """(model, head) of a `recipe` whose network differs in precision and dropout at most, as the session's is now.

    Weights and draws are equal, and its own: what trains it leaves those of the session as they are.
    """
    model, head = build(recipe, session.facts, auxiliary=True)
    for own, first in zip(model.weights, session.model.weights, strict=True):
        own.assign(first)
    draws = {v.path: v for v in session.model.variables if "seed_generator" in v.path}
    for own in model.variables:
        if own.path in draws:
            own.assign(draws[own.path])
    return model, head


def settle_precision(session):
    """The session in the precision that is the faster one, where its recipe leaves that open; says what was seen."""
    recipe = session.recipe
    if recipe.runtime.precision != "auto":
        return session

    def prepared(name):
        given = replace(session, recipe=recipe.override({"runtime.precision": name}))
        if name != precision.SAFE:
            given.model, given.head = twin(session, given.recipe)
        given.engine = make_engine(given)
        return given

    if recipe.runtime.deterministic or session.team.workers > 1:
        why = "bits must repeat" if recipe.runtime.deterministic else "several workers would measure several speeds"
        return replace(prepared(precision.SAFE), tried={"chosen": precision.SAFE, "why": why})
    steps = session.facts.steps_per_epoch(recipe.train.batch_size) * recipe.train.last_epoch
    first = functools.partial(views.batches, session, "train", augment=recipe.augment)
    with session.team.scope():
        chosen, seen = precision.settle(steps, prepared, lambda: iter(first()), recipe.train.learning_rate)
    log.info("precision %s: %s", chosen.recipe.runtime.precision, seen["why"])
    return replace(chosen, tried=seen)
