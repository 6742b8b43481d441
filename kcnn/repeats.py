"""The same recipe under several seeds, each in a process of its own, and the mean of their scores."""

import json
import statistics
import subprocess
import sys

from kcnn.errors import UserError
from kcnn.run import Run

CHILD = "import sys; from kcnn import cli; sys.argv[1:1] = ['fit']; cli.main()"


def fit_seeds(recipe, seeds, name=None):
    """Train `recipe` with `seeds` seeds counted from its own; print and keep each score, their mean and spread.

    Child processes keep memory flat and each run exactly what a single one would be. Stops at the first that fails.
    """
    import tempfile
    from pathlib import Path

    name = name or f"{recipe.model.architecture}-seeds"
    first = recipe.runtime.seed
    runs = []
    for seed in range(first, first + seeds):
        own = f"{name}-seed{seed}"
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "recipe.toml"
            file.write_text(recipe.override({"runtime.seed": seed}).to_toml(), "utf-8")
            code = subprocess.run([sys.executable, "-c", CHILD, str(file), "--name", own], check=False).returncode
        run = Run(Path(recipe.runtime.runs) / own) if code == 0 else None
        if run is None or run.status.get("state") != "finished":
            raise UserError(f"seed {seed} ended with status {code}; the other seeds were not started")
        runs.append(run)
    return _summarise(recipe, name, runs)


def _summarise(recipe, name, runs):
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{name}: {len(runs)} seeds")
    splits = list(runs[0].splits)
    for column in ("run", *splits, "CPU minutes"):
        table.add_column(column)
    scores = {split: [run.splits[split]["accuracy"] for run in runs] for split in splits}
    minutes = [run.folder.environment()["cpu_seconds"] / 60 for run in runs]
    for i, run in enumerate(runs):
        table.add_row(run.name, *(f"{scores[s][i]:.4f}" for s in splits), f"{minutes[i]:.1f}")
    means = {split: statistics.mean(values) for split, values in scores.items()}
    table.add_row("mean", *(f"{means[s]:.4f}" for s in splits), f"{statistics.mean(minutes):.1f}")
    Console().print(table)
    summary = {"runs": [str(run.path) for run in runs], "accuracy": scores, "mean": means, "cpu_minutes": minutes}
    Path(recipe.runtime.runs, f"{name}.json").write_text(json.dumps(summary, indent=1) + "\n", "utf-8")
    return summary
