"""The same recipe under several seeds, each in a process of its own, and the mean of their scores."""

import json
import os
import statistics
import subprocess
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kcnn.disk import make_folder, write_atomically
from kcnn.errors import UserError
from kcnn.run import Run
from kcnn.training.interrupts import PARENT
from kcnn.workers import PROGRAM


def fit_seeds(recipe, seeds, name=None):
    """Train `recipe` with `seeds` seeds counted from its own; print and keep each score, their mean and CPU time.

    Child processes keep memory flat and each run exactly what a single one would be. Called again after a stop, it goes
    on: finished seeds are kept, a stopped one is resumed. Raises `UserError` at the first that does not finish.
    """
    name = name or f"{recipe.model.architecture}-seeds"
    first = recipe.runtime.seed
    return _summarise(recipe, name, [_fit(recipe, name, seed) for seed in range(first, first + seeds)])


def _fit(recipe, name, seed):
    """The finished run of one seed."""
    own = recipe.override({"runtime.seed": seed})
    folder = Path(own.runtime.runs) / f"{name}-seed{seed}"
    if folder.exists():
        _refuse_another(Run(folder), own)
        words = ("resume", folder)
    else:
        file = Path(own.runtime.runs) / f".{folder.name}.toml"
        make_folder(file.parent)
        write_atomically(file, own.to_toml())
        words = ("fit", file, "--name", folder.name)
    if not folder.exists() or Run(folder).status.get("state") != "finished":
        code = _call(words)
        (folder.parent / f".{folder.name}.toml").unlink(missing_ok=True)
        state = Run(folder).status.get("state") if folder.exists() else "refused"
        if state != "finished":
            raise UserError(f"seed {seed} is {state} (status {code}); the same command goes on from there")
    return Run(folder)


def _refuse_another(run, recipe):
    if recipe.runtime.precision == "auto":  # which the run has settled
        recipe = recipe.override({"runtime.precision": run.recipe.runtime.precision})
    if _as_asked(run.recipe, recipe) != recipe:
        raise UserError(f"run {run.name} exists already with another recipe; choose another --name")


def _as_asked(had, asked):
    """The recipe `had` of a run without the style and overrides that its weights brought along."""
    if not asked.model.weights:
        return had
    kept = {
        f"model.{name}": {key: value for key, value in getattr(had.model, name).items() if key in own}
        for name, own in (("style", asked.model.style), ("overrides", asked.model.overrides))
    }
    return had.override(kept)


def _call(words):
    """Run the command line in a child; Ctrl-C reaches it too, and it is waited for while it stops cleanly."""
    environment = os.environ | {PARENT: str(os.getpid())}
    child = subprocess.Popen([*PROGRAM, *map(str, words)], env=environment)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue


def _summarise(recipe, name, runs):
    splits = list(runs[0].splits)
    table = Table(title=f"{name}: {runs[0].main_metric}, {len(runs)} seeds")
    for column in ("run", *splits, "CPU minutes"):
        table.add_column(column)
    metric = runs[0].main_metric
    scores = {split: [run.splits[split][metric] for run in runs] for split in splits}
    minutes = [run.folder.environment().get("cpu_seconds", 0) / 60 for run in runs]
    for i, run in enumerate(runs):
        table.add_row(run.name, *(f"{scores[s][i]:.4f}" for s in splits), f"{minutes[i]:.1f}")
    means = {split: statistics.mean(values) for split, values in scores.items()}
    table.add_row("mean", *(f"{means[s]:.4f}" for s in splits), f"{statistics.mean(minutes):.1f}")
    Console().print(table)
    summary = {"runs": [str(run.path) for run in runs], metric: scores, "mean": means, "cpu_minutes": minutes}
    write_atomically(Path(recipe.runtime.runs, f"{name}.json"), json.dumps(summary, indent=1) + "\n")
    return summary
