"""Verbs that train, or say before what training will cost."""

import os
from pathlib import Path
from typing import Annotated

import typer

from kcnn.cli.words import (
    ArchitectureWord,
    DataWord,
    HeadWord,
    RecipeWord,
    RunPath,
    Settings,
    Workers,
    app,
    parsed,
    say,
    the_api,
)
from kcnn.errors import UserError
from kcnn.resources import RUNS


@app.command()
def demo(
    runs: Annotated[str, typer.Option(help="where the run folder goes")] = RUNS,
    seed: Annotated[int, typer.Option(help="of split, weights and augmentation")] = 0,
):
    """Train on real handwritten digits, report, explain and export: the tour, offline, in two minutes."""
    the_api()
    from kcnn.demo import tour

    tour(runs, seed)


@app.command()
def fit(
    recipe: RecipeWord = None,
    data: DataWord = None,
    architecture: ArchitectureWord = None,
    head: HeadWord = None,
    epochs: Annotated[int | None, typer.Option(help="passes over the training pictures")] = None,
    weights: Annotated[str | None, typer.Option(help="imagenet, an earlier run or a weight file to start from")] = None,
    settings: Settings = None,
    name: Annotated[str | None, typer.Option(help="of the run folder; numbered if not given")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="train so often, each with the next seed, and print the mean")] = 1,
    workers: Workers = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="one step, memory, and can it learn: writes nothing")
    ] = False,
):
    """Train what RECIPE says, changed by the options; without a recipe, what the options say."""
    words = {"data.source": data, "model.architecture": architecture, "model.head": head}
    words |= {"train.epochs": epochs, "model.weights": weights}
    api, chosen = _chosen(recipe, words, settings)
    if workers > 1 and (seeds > 1 or dry_run):
        raise UserError("--workers trains one run together: leave out --seeds and --dry-run")
    if dry_run:
        return _dry_run(api, chosen)
    if seeds > 1:
        from kcnn.repeats import fit_seeds

        return fit_seeds(chosen, seeds, name)
    if workers > 1:
        return _fit_together(chosen, name, workers)
    return _tell_of(api.build_and_fit(chosen, name=name))


@app.command()
def plan(
    recipe: RecipeWord = None,
    data: DataWord = None,
    architecture: ArchitectureWord = None,
    head: HeadWord = None,
    settings: Settings = None,
):
    """What a training will cost: parameters, memory, seconds a step and an epoch, from a few steps of it."""
    words = {"data.source": data, "model.architecture": architecture, "model.head": head}
    api, chosen = _chosen(recipe, words, settings)
    for line in api.plan(chosen).lines():
        say(line)


@app.command("find-rate")
def find_rate(
    recipe: RecipeWord = None,
    data: DataWord = None,
    architecture: ArchitectureWord = None,
    head: HeadWord = None,
    settings: Settings = None,
    out: Annotated[Path | None, typer.Option(help="draw the curve into this PNG")] = None,
):
    """Which learning rate to train with: the rate grows for a hundred steps until the loss runs away."""
    words = {"data.source": data, "model.architecture": architecture, "model.head": head}
    api, chosen = _chosen(recipe, words, settings)
    curve = api.find_learning_rate(chosen)
    say(f"train.learning_rate = {curve.suggested:.1e}; take it with --set train.learning_rate={curve.suggested:.1e}")
    if out is not None:
        curve.plot(out)
        say(f"wrote {out}")


@app.command()
def resume(run: RunPath, workers: Workers = 1):
    """Go on with a stopped or killed run, exactly where it was."""
    if workers > 1:
        return _together(["resume", run], workers)
    return _tell_of(the_api().load_run(run).resume())


@app.command()
def extend(
    run: RunPath,
    epochs: Annotated[int, typer.Option(min=1, help="how many to add")],
    workers: Workers = 1,
):
    """Train a finished run for more epochs, from its last state, at train.extend_factor of its rate."""
    if workers > 1:
        return _together(["extend", run, "--epochs", epochs], workers)
    return _tell_of(the_api().load_run(run).extend(epochs))


def _chosen(recipe, words, settings):
    """(the api, the `Recipe` that a command's words mean)."""
    from kcnn.recipe import Recipe
    from kcnn.resolving import resolve

    if recipe is None and words["data.source"] is None:
        raise UserError("give a RECIPE or --data; `kcnn list recipes` names the recipes that come with kcnn")
    changes = {key: value for key, value in words.items() if value is not None} | parsed(settings)
    chosen, _ = resolve(Recipe() if recipe is None else recipe, settings=changes)
    return the_api(), chosen


def _dry_run(api, recipe):
    seen = api.dry_run(recipe)
    for line in seen.lines():
        say(line)
    if not seen.learns:
        raise typer.Exit(1)


def _fit_together(recipe, name, workers):
    from kcnn.disk import make_folder, write_atomically
    from kcnn.run_folder import refuse_unfit

    refuse_unfit(name)
    file = Path(recipe.runtime.runs) / f".{name or 'workers'}.{os.getpid()}.toml"
    make_folder(file.parent)
    write_atomically(file, recipe.to_toml())
    try:
        _together(["fit", file, *(["--name", name] if name else [])], workers)
    finally:
        file.unlink(missing_ok=True)


def _together(words, workers):
    the_api()
    from kcnn.workers import run_workers

    raise typer.Exit(run_workers(words, workers))


def _tell_of(run):
    """How a training ended; among several workers the chief tells."""
    from kcnn.training.team import place, resume_words

    if place()[0]:
        return
    if run.status.get("state") == "stopped":
        say(f"stopped at epoch {run.status['epoch']}; go on with: {resume_words(run.path)}")
        return
    for split, figures in run.splits.items():
        told = (run.main_metric, "macro_f1", "pixel_accuracy")
        say(f"{split}: " + ", ".join(f"{key} {figures[key]:.4f}" for key in told if figures.get(key) is not None))
    say(f"weights: those of epoch {run.status['best_epoch']} of {run.status['epoch']}, the best")
    say(f"report: {run.report}")
