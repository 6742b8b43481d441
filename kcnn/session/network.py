"""What a session trains: its network, in a precision, under an engine."""

import functools
import logging
from dataclasses import fields, replace

import numpy as np

from kcnn import models, training, views
from kcnn.errors import UserError
from kcnn.heads import HEADS
from kcnn.recipe import Recipe
from kcnn.training import SCHEDULES, precision, runtime

log = logging.getLogger(__name__)
SETTINGS = ("model.top", "model.dropout", "train.label_smoothing", "train.focal_gamma", "train.class_weights")


def build(recipe, facts, auxiliary=False, any_size=False):
    """(model, head) of a recipe and the facts of its data; with the `auxiliary` outputs of training if asked for.

    any_size: the model takes pictures of any size, where the head answers every place of a picture by itself.
    """
    section, head = recipe.model, make_head(recipe, facts)
    shape = tuple(facts.input_shape)
    with runtime.precision(recipe.runtime):
        model = models.build_model(
            section.architecture, head, input_shape=(*[None] * (len(shape) - 1), shape[-1]) if any_size else shape,
            stem=models.chosen_stem(section.stem, shape) or section.stem, mean=facts.mean, std=facts.std,
            overrides=section.overrides, style=section.style, auxiliary=auxiliary and section.auxiliary,
        )  # fmt: skip
    return model, head


def build_to_answer(recipe, facts):
    """(model, head) to answer with: of any size where every place is answered, unless the family fixes its size."""
    if HEADS[recipe.model.head].task != "masks":
        return build(recipe, facts)
    try:
        return build(recipe, facts, any_size=True)
    except UserError as error:  # what else is wrong with the recipe is told again
        log.info("pictures are answered at the size of training: %s", error)
        return build(recipe, facts)


def as_its_head_needs(recipe):
    """The recipe with what its head asks of a training where [train] is as usual.

    Warm-up is a third of the training at most, and left to schedules that begin below their peak.
    """
    own, usual = recipe.train, Recipe().train
    asked = getattr(HEADS[recipe.model.head], "training", {})
    changed = {name: value for name, value in asked.items() if getattr(own, name) == getattr(usual, name)}
    if "warmup_epochs" in changed:
        most = (own.epochs - own.freeze_epochs) / 3 if SCHEDULES[own.schedule](0.0) == 1 else 0.0
        changed["warmup_epochs"] = min(changed["warmup_epochs"], most)
    return recipe.override({f"train.{name}": value for name, value in changed.items()})


def make_head(recipe, facts):
    """The head record of a recipe; raises `UserError` where a setting is not one of this head, or the data not its."""
    name, kind = recipe.model.head, HEADS[recipe.model.head]
    if kind.task != facts.task:
        fitting = ", ".join(other for other, row in HEADS.items() if row.task == facts.task)
        raise UserError(
            f"the head {name} learns {kind.task} and the data has {facts.task}: set model.head to {fitting}"
        )
    known = {field.name for field in fields(kind)}
    found = {"multi_label": True} if facts.multi_label else {}
    for path in SETTINGS:  # what is as usual is left to the head's own default
        section, option = path.split(".")
        value, usual = (getattr(getattr(of, section), option) for of in (recipe, Recipe()))
        if value != usual:
            if option not in known:
                raise UserError(f"{path} is {value!r}: the head {name} has no such option; leave it out")
            found[option] = balanced(facts) if option == "class_weights" else value
    return models.head_of(name, **found | {"num_classes": facts.num_classes} | recipe.model.head_options)


def balanced(facts):
    """One weight a class, mean 1 over the training pictures, or over the places of their masks."""
    counts = np.maximum(np.array(facts.class_pixels or facts.class_counts, np.float64), 1)
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
