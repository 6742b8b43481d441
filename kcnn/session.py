"""A session: one training from recipe to report, the same whether it starts, resumes or is repeated.

Data, model, engine and loop meet here and nowhere else; `api` and `run` only name what to do.
"""

import functools
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

import keras
import numpy as np

from kcnn import advice, conversion, data, models, scoring, training, views
from kcnn.errors import UserError
from kcnn.progress import bars
from kcnn.recipe import IN_MEMORY
from kcnn.run_folder import RunFolder
from kcnn.spectator import Spectator
from kcnn.training import precision, runtime

log = logging.getLogger(__name__)
SHOWN = 5  # unreadable files that are named when a training starts


@dataclass
class Session:
    """What one training stands on: where (nowhere in a dry run), what, on which data, with which network."""

    folder: RunFolder | None
    recipe: object
    dataset: object
    facts: object
    model: object
    head: object
    engine: object = None
    team: training.Team = field(default_factory=training.Team)
    loaded: dict = field(default_factory=dict)
    tried: dict = field(default_factory=dict)
    began: float = field(default_factory=runtime.cpu_seconds)


def open_data(recipe, source=None, class_names=None):
    """The checked `DataSet` of a recipe; `source` stands in for an address when the data is in memory.

    With the `class_names` of a run it is data to be scored and not to be learned from: see `data.load`.
    """
    address = recipe.data.source if source is None else source
    found = data.load(address, recipe.data, recipe.runtime.seed, class_names)
    with bars() as tell:
        progress = functools.partial(tell, "reading pictures")
        checked = data.check(found, recipe.data, progress, training=class_names is None)
        if recipe.data.cache == "none":
            return checked
        return data.cached(checked, recipe.data.cache, functools.partial(tell, "filling the cache"))


def prepare(recipe, source=None):
    """A session without a run folder: data read and checked, network built. Raises `UserError` at every door."""
    team = _team(recipe)
    dataset = open_data(recipe, source)
    facts = data.facts_of(dataset, recipe)
    with team.scope():
        model, head = build(recipe, facts)
        loaded = load_earlier(recipe, model)
    for place, reason in dataset.set_aside[:SHOWN]:
        log.warning("set aside: %s: %s", place, reason)
    if len(dataset.set_aside) > SHOWN:
        log.warning("and %d more: `kcnn check` names them all", len(dataset.set_aside) - SHOWN)
    for note in dataset.notes:
        log.info(note)
    return Session(None, recipe, dataset, facts, model, head, team=team, loaded=loaded)


def _team(recipe):
    """This process, prepared as [runtime] says, in its `Team`; raises `UserError` if that cannot train the recipe."""
    runtime.prepare(recipe.runtime)
    team = training.team_of(recipe.runtime)
    team.check(recipe.train)
    return team


def start(recipe, source=None, name=None):
    """A fresh session: prepared, and with a run folder."""
    opened = settle_precision(prepare(recipe, source))
    recipe, team = opened.recipe, opened.team
    stem = f"{recipe.model.architecture}-{opened.dataset.name}"
    folder = shared_folder(team, lambda: RunFolder.create(recipe.runtime.runs, name, stem))
    if not team.is_chief:
        return replace(opened, folder=folder)
    try:
        folder.write_recipe(recipe)
        opened.facts.write(folder.facts_file)
        folder.write_json("environment.json", runtime.environment(*team.size))
        folder.set_status(state="preparing", epoch=0, epochs=recipe.train.last_epoch)
        folder.log("started", precision=opened.tried, **opened.loaded)
        for text in advice.before(recipe, opened.facts, opened.model.layers):
            warn(folder, text)
    except UserError:
        folder.discard()
        raise
    return replace(opened, folder=folder)


def shared_folder(team, make):
    """The run folder that `make` gives on the chief; on other workers a `Spectator` of it, or the chief's error."""
    made, told = None, ""
    if team.is_chief:
        try:
            made = make()
            told = str(made.path.resolve())
        except UserError as error:
            made, told = error, f"!{error}"
    told = team.tell(told)
    if isinstance(made, UserError):
        raise made
    if told.startswith("!"):
        raise UserError(told[1:])
    if made is None and not Path(told).is_dir():
        raise UserError(
            f"worker {team.worker} does not see {told}: runtime.runs must be a folder that all workers share"
        )
    return made or Spectator(told)


def settle_precision(session):
    """The session in the precision that is the faster one, where its recipe leaves that open; says what was seen."""
    recipe = session.recipe
    if recipe.runtime.precision != "auto":
        return session

    def prepared(name):
        given = replace(session, recipe=recipe.override({"runtime.precision": name}))
        if name != precision.SAFE:
            given.model, given.head = build(given.recipe, given.facts)
            for own, first in zip(given.model.variables, session.model.variables, strict=True):
                own.assign(first)
        given.engine = make_engine(given)
        return given

    if recipe.runtime.deterministic or session.team.workers > 1:
        return prepared(precision.SAFE)  # several workers would measure several speeds
    steps = session.facts.steps_per_epoch(recipe.train.batch_size) * recipe.train.last_epoch
    first = functools.partial(views.batches, session, "train", augment=recipe.augment)
    with session.team.scope():
        chosen, seen = precision.settle(steps, prepared, lambda: iter(first()), recipe.train.learning_rate)
    log.info("precision %s: %s", chosen.recipe.runtime.precision, seen["why"])
    return replace(chosen, tried=seen)


def warn(folder, text):
    """Say what the user should know, and keep it for the report."""
    log.warning(text)
    folder.log("warning", text=text)


def reopen(folder, source=None, built=None):
    """The session of an earlier run, its data read again; raises `UserError` if the data is not the same.

    `built` is its (model, head), if they are at hand. Else they are made to be trained on, and the process is prepared.
    """
    recipe, facts = folder.recipe(), data.Facts.read(folder.facts_file)
    team = _team(recipe) if built is None else training.Team()
    if source is None and recipe.data.source == IN_MEMORY:
        raise UserError(f"run {folder.name} was trained on data in memory; give the same data again")
    dataset = open_data(recipe, source)
    if dataset.fingerprint != facts.fingerprint:
        raise UserError(f"the data of run {folder.name} has changed since it began; start a new run instead")
    with team.scope():
        model, head = built or build(recipe, facts)
        if built is None and not training.Checkpoints(folder.checkpoints).exist():
            load_earlier(recipe, model)  # it was killed before its first checkpoint
    folder = folder if team.is_chief else Spectator(folder.path)
    return Session(folder, recipe, dataset, facts, model, head, team=team)


def build(recipe, facts):
    """(model, head) of a recipe and the facts of its data."""
    section = recipe.model
    options = {"num_classes": facts.num_classes, "multi_label": facts.multi_label}
    options |= {"top": section.top, "dropout": section.dropout, "label_smoothing": recipe.train.label_smoothing}
    options |= {"focal_gamma": recipe.train.focal_gamma, "class_weights": balanced(recipe, facts)}
    head = models.head_of(section.head, **options)
    with runtime.precision(recipe.runtime):
        model = models.build_model(
            section.architecture, head, input_shape=tuple(facts.input_shape), stem=section.stem, mean=facts.mean,
            std=facts.std, overrides=section.overrides, style=section.style,
        )  # fmt: skip
    return model, head


def balanced(recipe, facts):
    """One weight a class, mean 1 over the training pictures, if the recipe balances classes; else None."""
    if recipe.train.class_weights == "none":
        return None
    counts = np.maximum(np.array(facts.class_counts, np.float64), 1)
    return tuple(counts.sum() / len(counts) / counts)


def backbone_layers(model):
    """Names of the layers up to the deepest level: what rests while only the head learns."""
    names = [layer.name for layer in model.layers]
    deepest = max(names.index(name) for name in models.levels(model).values())
    return names[: deepest + 1]


def load_earlier(recipe, model):
    """Start from the weights that the recipe names, if it does; says what was loaded."""
    if not recipe.model.weights:
        if recipe.train.freeze_epochs:
            raise UserError("train.freeze_epochs needs model.weights: there is nothing learned to keep frozen")
        return {}
    source = Path(recipe.model.weights)
    loaded, left = training.transfer_weights(model, _weights_file(source))
    log.info("%d tensors from %s, %d start afresh: %s", len(loaded), source, len(left), ", ".join(left[:6]))
    return {"weights": str(source), "loaded": len(loaded), "fresh": left}


def _weights_file(source):
    """The safetensors file that `model.weights` means: itself, or the best of a run."""
    if source.suffix.lower() in conversion.PROGRAMS:
        raise UserError(f"model.weights: {source} may run code when it is loaded; `kcnn convert` takes its weights out")
    if (source / "saved_model.pb").exists():
        raise UserError(
            f"model.weights: {source} is a SavedModel, which is a program; give a run or a .safetensors file"
        )
    return source if source.suffix == ".safetensors" else RunFolder.open(source).best


def train(session, *, resume=False, callbacks=(), console=None):
    """Train to the end or to a stop, then score every split and write the report; returns the final state.

    Raises `UserError`, with the way on, if the disk refuses; the last checkpoint is then still whole.
    """
    folder, team = session.folder, session.team
    with folder.held():
        try:
            with team.together(folder.path), team.scope():
                fitting = make_fitting(session, callbacks, console)
                if resume:
                    log.info("continuing at step %d", fitting.restore())
                fitting.open()
                team.meet()  # so that no checkpoint is written while a worker still reads
        except UserError:
            if not resume:
                folder.discard()
            raise
        with folder.noting_its_end(), team.together(folder.path):
            with team.scope():
                state = fitting.run()
                _add_cpu_seconds(session)
                team.meet()  # the chief has written the best weights
                if state == "finished":
                    fitting.use_best()
            if state == "finished" and team.is_chief:
                for text in advice.after(folder.history()):
                    warn(folder, text)
                scoring.finish(session)
            team.meet()  # no worker leaves before the chief has done
    return state


def extend(session, epochs):
    """Put `epochs` more into the recipe of a finished session's run; `train` with resume=True then trains them."""
    folder = session.folder
    with folder.held():
        found = training.Checkpoints(folder.checkpoints).load()
        if not found:
            raise UserError(f"run {folder.name} has no checkpoint to go on from; start a new run")
        done = max(len(found[2]["progress"]["rows"]), len(folder.history()))
        pairs = [*session.recipe.train.extensions, (done, epochs)]
        session.recipe = session.recipe.override({"train.extensions": pairs})
        folder.set_status(state="stopped", reason="extended", epochs=session.recipe.train.last_epoch)
        folder.write_recipe(session.recipe)
        folder.log("extended", after=done, epochs=epochs)


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
    """{path: factor of the rate} of each weight up to the deepest level: `decay` for that one, its square before it."""
    if decay == 1:
        return {}
    names = [layer.name for layer in model.layers]
    ends = sorted(names.index(name) for name in models.levels(model).values())
    depths = [sum(i <= end for end in ends) for i in range(len(names))]
    return {v.path: decay**n for layer, n in zip(model.layers, depths, strict=True) for v in layer.weights}


def make_fitting(session, callbacks=(), console=None, watched=True):
    """The `Fitting` of a session, not yet run; unwatched, it writes nothing, shows nothing and keeps no checkpoints."""
    recipe, model, section = session.recipe, session.model, session.recipe.train
    engine = session.engine or make_engine(session)
    watchers = _watchers(session, engine, console) if watched else []
    shard = session.team.shard

    def stream(step):
        return views.batches(session, "train", augment=recipe.augment, start=step * section.batch_size, shard=shard)

    return training.Fitting(
        engine, session.folder, section, stream=stream,
        steps_per_epoch=session.facts.steps_per_epoch(section.batch_size),
        validation=views.batches(session, "val", shard=shard) if "val" in session.dataset.splits else None,
        monitor=session.head.main_metric,
        checkpoints=training.Checkpoints(session.folder.checkpoints) if watched else None,
        frozen=backbone_layers(model), callbacks=[*watchers, *callbacks],
        identity={**training.identity(recipe), "fingerprint": session.facts.fingerprint},
    )  # fmt: skip


def _watchers(session, engine, console):
    if not session.team.is_chief:
        return [keras.callbacks.Callback()] * 3  # a checkpoint tells callbacks apart by their places
    return [
        training.ProgressBar(console),
        training.TensorBoardScalars(session.folder.path / "tensorboard", engine),
        training.Watch(engine, functools.partial(warn, session.folder)),
    ]


def _add_cpu_seconds(session):
    before = session.folder.environment().get("cpu_seconds", 0)
    spent = before + runtime.cpu_seconds() - session.began
    session.folder.write_json(
        "environment.json", {**runtime.environment(*session.team.size), "cpu_seconds": round(spent, 1)}
    )
