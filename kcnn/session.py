"""A session: one training from recipe to report, the same whether it starts, resumes or is repeated.

Data, model, engine and loop meet here and nowhere else; `api` and `run` only name what to do.
"""

import logging
import math
from dataclasses import dataclass

import numpy as np

from kcnn import data, evaluation, models, training
from kcnn.errors import UserError
from kcnn.recipe import IN_MEMORY
from kcnn.training import runtime

log = logging.getLogger(__name__)


@dataclass
class Session:
    """What one training stands on: where, what, on which data, with which network."""

    folder: training.RunFolder
    recipe: object
    dataset: object
    facts: object
    model: object
    head: object


def open_data(recipe, source=None, progress=None):
    """The checked `DataSet` of a recipe; `source` stands in for an address when the data is in memory."""
    address = recipe.data.source if source is None else source
    return data.check(data.load(address, recipe.data, recipe.runtime.seed), recipe.data, progress=progress)


def start(recipe, source=None, name=None):
    """A fresh session: data read and checked, run folder made, network built. Raises `UserError` at every door."""
    runtime.prepare(recipe.runtime)
    dataset = open_data(recipe, source)
    facts = data.facts_of(dataset, recipe)
    model, head = build(recipe, facts)
    loaded = load_earlier(recipe, model)
    folder = training.RunFolder.create(recipe.runtime.runs, name, f"{recipe.model.architecture}-{dataset.name}")
    folder.write_recipe(recipe)
    facts.write(folder.facts_file)
    folder.write_json("environment.json", runtime.environment())
    folder.set_status(state="preparing", epoch=0, epochs=recipe.train.epochs)
    folder.log("started", **loaded)
    return Session(folder, recipe, dataset, facts, model, head)


def reopen(folder, source=None):
    """The session of an earlier run, its data read again; raises `UserError` if the data is not the same."""
    recipe, facts = folder.recipe(), data.Facts.read(folder.facts_file)
    runtime.prepare(recipe.runtime)
    if source is None and recipe.data.source == IN_MEMORY:
        raise UserError(f"run {folder.name} was trained on data in memory; give the same data again")
    dataset = open_data(recipe, source)
    if dataset.fingerprint != facts.fingerprint:
        raise UserError(f"the data of run {folder.name} has changed since it began; start a new run instead")
    model, head = build(recipe, facts)
    return Session(folder, recipe, dataset, facts, model, head)


def build(recipe, facts):
    """(model, head) of a recipe and the facts of its data."""
    section = recipe.model
    options = {"num_classes": facts.num_classes, "multi_label": facts.multi_label}
    options |= {"top": section.top, "dropout": section.dropout, "label_smoothing": recipe.train.label_smoothing}
    options |= {"focal_gamma": recipe.train.focal_gamma, "class_weights": balanced(recipe, facts)}
    head = models.head_of(section.head, **options)
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
    """Start from an earlier run's best weights if the recipe says so; says what was loaded."""
    if not recipe.model.weights:
        if recipe.train.freeze_epochs:
            raise UserError("train.freeze_epochs needs model.weights: there is nothing learned to keep frozen")
        return {}
    earlier = training.RunFolder.open(recipe.model.weights)
    loaded, left = training.transfer_weights(model, earlier.best)
    log.info("%d tensors from %s, %d start afresh: %s", len(loaded), earlier.path, len(left), ", ".join(left[:6]))
    return {"weights": str(earlier.path), "loaded": len(loaded), "fresh": left}


def train(session, *, resume=False, callbacks=(), console=None):
    """Train to the end or to a stop, then score every split and write the report; returns the final state."""
    try:
        fitting = make_fitting(session, callbacks, console)
    except UserError:
        if not resume:
            session.folder.discard()
        raise
    if resume and (step := fitting.restore()):
        log.info("continuing at step %d", step)
        changed = runtime.environment_differences(session.folder.environment())
        if changed:
            log.warning("continues, not bit-identical, because %s", ", ".join(changed))
    try:
        state = fitting.run()
    except BaseException as error:
        session.folder.set_status(state="failed", reason=str(error) or type(error).__name__)
        raise
    finally:
        _add_cpu_seconds(session.folder)
    if state == "finished":
        fitting.use_best()
        finish(session)
    return state


def make_fitting(session, callbacks=(), console=None):
    """The `Fitting` of a session, not yet run."""
    recipe, train_split = session.recipe, session.dataset.splits["train"]
    model, section = session.model, session.recipe.train
    optimizer = training.make_optimizer(section, model.trainable_variables)
    average = training.MovingAverage(model, section.ema) if section.ema else None
    engine = training.Engine(model, session.head, optimizer, clip_norm=section.clip_norm, average=average)
    watchers = [training.ProgressBar(console), training.TensorBoardScalars(session.folder.path / "tensorboard", engine)]

    def stream(step):
        return batches(session, "train", augment=recipe.augment, start=step * section.batch_size)

    return training.Fitting(
        engine, session.folder, section, stream=stream,
        steps_per_epoch=max(1, round(len(train_split) / section.batch_size)),
        validation=batches(session, "val") if "val" in session.dataset.splits else None,
        monitor=session.head.main_metric, checkpoints=training.Checkpoints(session.folder.checkpoints),
        frozen=backbone_layers(model), callbacks=[*callbacks, *watchers],
        identity={**recipe.model_dump(mode="json"), "fingerprint": session.facts.fingerprint},
    )  # fmt: skip


def batches(session, split, augment=None, start=0):
    """Batches of a split: the endless training stream from sample number `start`, or one plain pass."""
    recipe, facts = session.recipe, session.facts
    return data.batches(
        session.dataset.splits[split], facts.input_shape, recipe.train.batch_size, framing=facts.framing,
        max_pixels=facts.max_pixels, augment=augment, seed=recipe.runtime.seed, start=start,
        training=augment is not None, num_classes=facts.num_classes, threads=recipe.runtime.threads,
    )  # fmt: skip


def finish(session):
    """Score every split but the training one and write the report; each use of a test split is logged."""
    folder = session.folder
    folder.set_status(state="evaluating")
    splits = [name for name in session.dataset.splits if name != "train"] or ["train"]
    scored, pictures = {}, {}
    for split in splits:
        scored[split], pictures[split] = score(session, split)
    evaluation.write_report(
        folder.report, scored, title=folder.name, history=folder.history(), metric=session.head.main_metric,
        details=details(session), notes=session.dataset.notes, set_aside=session.facts.set_aside, pictures=pictures,
    )  # fmt: skip
    folder.set_status(state="finished")
    folder.log("finished", **{split: figures[session.head.main_metric] for split, figures in scored.items()})


def score(session, split, log_use=True):
    """(figures, pictures of the worst mistakes) of one split under the model as it is."""
    if split not in session.dataset.splits:
        raise UserError(f"this data has no split {split!r}; it has {', '.join(session.dataset.splits)}")
    if split != "train" and split != "val" and log_use:
        session.folder.log("scored", split=split, uses=1 + len(uses(session.folder, split)))
    samples = session.dataset.splits[split]
    predictions = evaluation.predict(session.model, session.head, batches(session, split))
    figures = evaluation.measure(predictions, session.facts.class_names, samples.names)
    worst = np.array([entry["index"] for entry in figures["worst"]], np.int64)
    return figures, evaluation.pictures(_only(session, samples, worst)) if len(worst) else None


def uses(folder, split):
    """The logged uses of a split that training never saw."""
    return [event for event in folder.events("scored") if event["split"] == split]


def details(session):
    """The facts at the head of the report."""
    facts, recipe = session.facts, session.recipe
    counts = ", ".join(f"{name} {len(samples)}" for name, samples in session.dataset.splits.items())
    environment = session.folder.environment()
    return {
        "architecture": recipe.model.architecture,
        "parameters": sum(math.prod(v.shape) for v in session.model.trainable_variables),
        "input": "×".join(map(str, facts.input_shape)),
        "data": f"{facts.format}: {counts}",
        "classes": len(facts.class_names),
        "epochs": len(session.folder.history()),
        "CPU time": f"{environment.get('cpu_seconds', 0):.0f} s",
        "seed": recipe.runtime.seed,
    }


def _only(session, samples, index):
    facts = session.facts
    return data.batches(
        samples.take(index), facts.input_shape, len(index), framing=facts.framing, max_pixels=facts.max_pixels,
        training=False, num_classes=facts.num_classes,
    )  # fmt: skip


def _add_cpu_seconds(folder):
    environment = {**runtime.environment(), **{k: v for k, v in folder.environment().items() if k == "cpu_seconds"}}
    environment["cpu_seconds"] = round(environment.get("cpu_seconds", 0) + runtime.cpu_seconds(), 1)
    folder.write_json("environment.json", environment)
