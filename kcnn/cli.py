"""The command line: one verb a function, each a thin call on the public api.

Heavy imports wait inside the verbs, so that `kcnn --help` answers at once.
"""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from kcnn.errors import UserError
from kcnn.resources import RUNS

TITLE = "Train, measure, explain and ship convolutional networks."
app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich", help=TITLE
)
CHANGE = "change any field of the recipe; `kcnn list options` names them"
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help=CHANGE)]
RecipeWord = Annotated[
    str | None, typer.Argument(metavar="[RECIPE]", help="a TOML file, or one from `kcnn list recipes`")
]
DataWord = Annotated[str | None, typer.Option("--data", help="a folder or archive, .csv, .npz, tfds:NAME, builtin:…")]
ArchitectureWord = Annotated[str | None, typer.Option("--architecture", help="from `kcnn list architectures`")]
HeadWord = Annotated[str | None, typer.Option("--head", help="a name from `kcnn list heads`")]
Workers = Annotated[int, typer.Option(min=1, help="train in so many processes of this machine, together")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="a run folder, such as runs/digits-1")]


@app.command()
def demo(
    runs: Annotated[str, typer.Option(help="where the run folder goes")] = RUNS,
    seed: Annotated[int, typer.Option(help="of split, weights and augmentation")] = 0,
):
    """Train on real handwritten digits, report, explain and export: the tour, offline, in two minutes."""
    _api()
    from kcnn.demo import tour

    tour(runs, seed)


@app.command()
def fit(
    recipe: RecipeWord = None,
    data: DataWord = None,
    architecture: ArchitectureWord = None,
    head: HeadWord = None,
    epochs: Annotated[int | None, typer.Option(help="passes over the training pictures")] = None,
    weights: Annotated[str | None, typer.Option(help="an earlier run or a .safetensors file to start from")] = None,
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
        _say(line)


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
    _say(f"train.learning_rate = {curve.suggested:.1e}")
    if out is not None:
        curve.plot(out)
        _say(f"wrote {out}")


@app.command()
def resume(run: RunPath, workers: Workers = 1):
    """Go on with a stopped or killed run, exactly where it was."""
    if workers > 1:
        return _together(["resume", run], workers)
    return _tell_of(_api().load_run(run).resume())


@app.command()
def extend(
    run: RunPath,
    epochs: Annotated[int, typer.Option(min=1, help="how many to add")],
    workers: Workers = 1,
):
    """Train a finished run for more epochs, from its last state, at train.extend_factor of its rate."""
    if workers > 1:
        return _together(["extend", run, "--epochs", epochs], workers)
    return _tell_of(_api().load_run(run).extend(epochs))


@app.command()
def evaluate(
    run: RunPath,
    split: Annotated[str, typer.Option(help="val, test, or any other split of the data")] = "val",
    data: Annotated[str | None, typer.Option(help="other data, of any of the run's classes")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
):
    """Score a run on one split; each use of a test split is logged in the run."""
    figures = _api().load_run(run).evaluate(split, data)
    numbers = {k: v for k, v in figures.items() if isinstance(v, (int, float))}
    if as_json:
        return _say(json.dumps(numbers | {"intervals": figures["intervals"]}, indent=1))
    from kcnn.evaluation import summary

    for line in summary(figures):
        _say(line)
    return _say(f"report: {run / 'report' / 'report.md'}" if data is None else "other data: the report stays as it is")


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="run folders; each against the first")],
    split: Annotated[str | None, typer.Option(help="only this split; all scored ones if not given")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
):
    """Runs side by side: recipes, scores with intervals, and the difference on the same pictures."""
    found = _api().compare(*runs, split=split)
    if as_json:
        return _say(json.dumps(found, indent=1))
    from rich.console import Console

    from kcnn.comparison_table import show

    return show(found, Console(width=None if sys.stdout.isatty() else 160))


@app.command()
def predict(
    run: RunPath,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="pictures, or folders of them")],
    top: Annotated[int, typer.Option(min=1, help="how many labels each")] = 3,
):
    """What a run sees in pictures: one line of JSON each. Status 1 where a picture could not be read."""
    api = _api()
    from kcnn.data import picture_files

    answers = api.load_run(run).predict(picture_files(images), top=top)
    for answer in answers:
        _say(json.dumps(answer))
    raise typer.Exit(1 if any("error" in answer for answer in answers) else 0)


@app.command()
def explain(
    run: RunPath,
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="a picture")],
    method: Annotated[str, typer.Option(help="how: grad_cam")] = "grad_cam",
    target: Annotated[str | None, typer.Option(help="the class to explain; the predicted one if not given")] = None,
    level: Annotated[str | None, typer.Option(help="c2 … c5, or a layer's name; the deepest if not given")] = None,
    out: Annotated[
        Path | None, typer.Option(help="the PNG to write; in the run's folder explanations/ if not given")
    ] = None,
):
    """Where a run looks in a picture: a heat map over it, as PNG."""
    from kcnn.disk import make_folder

    opened = _api().load_run(run)
    path = out or opened.path / "explanations" / f"{image.stem}-{method}.png"
    make_folder(path.parent)
    opened.explain(image, method, target=target, level=level, path=path)
    _say(f"wrote {path}")


@app.command()
def export(run: RunPath, format: Annotated[str, typer.Option(help="saved_model or keras")] = "saved_model"):
    """Write a run's model for other programs, and prove that it agrees."""
    _say(f"wrote {_api().load_run(run).export(format)}")


@app.command()
def convert(
    model: Annotated[Path, typer.Argument(metavar="FILE", help="a .keras or .h5 file")],
    out: Annotated[Path | None, typer.Option(help="the .safetensors file to write; beside FILE if not given")] = None,
    trust: Annotated[bool, typer.Option("--trust", help="load it although that can run any code it carries")] = False,
):
    """Take the weights out of another program's model file, for `kcnn fit --weights`."""
    _api()
    from kcnn.conversion import convert as take_out

    _say(f"wrote {take_out(model, out, trust)}")


@app.command()
def check(
    data: Annotated[str, typer.Argument(metavar="DATA", help="an address as in `kcnn fit --data`")],
    out: Annotated[
        Path | None, typer.Option(help="write a page with pictures, check.json and quarantine.csv into this folder")
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(metavar="POLICY_OR_RECIPE", help="only write a sheet of pictures as training would see them"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print all of it as JSON")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="status 1 where a finding is severe")] = False,
    settings: Settings = None,
):
    """Examine data as training would read it: bad files, copies, leaks between splits, classes; and what to do."""
    if augment is not None and out is None:
        raise UserError("check --augment writes a picture; say where with --out FOLDER")
    api = _api()
    if augment is not None:
        return _say(f"wrote {api.show_augmentation(data, augment, out, **_parse(settings))}")
    from kcnn.doctor import text
    from kcnn.progress import bars

    with bars() as tell:
        found = api.diagnose_data(data, out=out, progress=tell, **_parse(settings))
    for line in [found.model_dump_json(indent=1)] if as_json else text(found):
        _say(line)
    if out is not None:
        typer.echo(f"wrote {out / 'check.md'} and {out / 'quarantine.csv'}", err=as_json)
    elif found.findings and not as_json:
        _say(f"The pictures, and a list to leave out: kcnn check {data} --out FOLDER")
    raise typer.Exit(1 if strict and found.is_severe else 0)


@app.command("list")
def list_(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="WHAT", help="architectures, heads, augmentations, schedules, optimizers, recipes, options or tips"
        ),
    ] = None,
):
    """Names of what kcnn has; without WHAT, what can be listed."""
    from kcnn import listing

    if what is not None and what not in listing.LIGHT:
        _api()
    for line in listing.lines(what):
        _say(line)


@app.command("app")
def app_(
    runs: Annotated[str, typer.Option(help="the folder of run folders to show")] = RUNS,
    port: Annotated[int, typer.Option(help="of the page")] = 8501,
):
    """Open the dashboard in a browser, on this machine only."""
    from kcnn.resources import folder

    page = str(folder("apps") / "kcnn_app.py")
    options = {"server.address": "127.0.0.1", "server.port": port, "browser.gatherUsageStats": "false"}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "streamlit", "run", page, *words]
    # In place of this process: none is left behind when it ends.
    os.execve(sys.executable, command, {**os.environ, "KCNN_RUNS": runs})


def _api():
    """The public api. TensorFlow greets on stderr before any logging can be set: that greeting is swallowed."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        from kcnn import api
        from kcnn.training.interrupts import follow_parent
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
    follow_parent()
    return api


def _chosen(recipe, words, settings):
    """(the api, the `Recipe` that a command's words mean)."""
    from kcnn.recipe import Recipe

    if recipe is None and words["data.source"] is None:
        raise UserError("give a RECIPE or --data; `kcnn list recipes` names the recipes that come with kcnn")
    changes = {key: value for key, value in words.items() if value is not None} | _parse(settings)
    api = _api()
    return api, api.resolve(Recipe() if recipe is None else recipe, settings=changes)[0]


def _dry_run(api, recipe):
    seen = api.dry_run(recipe)
    for line in seen.lines():
        _say(line)
    if not seen.learns:
        raise typer.Exit(1)


def _fit_together(recipe, name, workers):
    from kcnn.disk import make_folder, write_atomically

    file = Path(recipe.runtime.runs) / f".{name or 'workers'}.{os.getpid()}.toml"
    make_folder(file.parent)
    write_atomically(file, recipe.to_toml())
    try:
        _together(["fit", file, *(["--name", name] if name else [])], workers)
    finally:
        file.unlink(missing_ok=True)


def _together(words, workers):
    _api()
    from kcnn.workers import run_workers

    raise typer.Exit(run_workers(words, workers))


def _parse(settings):
    from kcnn.recipe import parse_setting

    return dict(parse_setting(text) for text in settings or [])


def _tell_of(run):
    """How a training ended; among several workers the chief tells."""
    from kcnn.training.team import place

    if place()[0]:
        return
    if run.status.get("state") == "stopped":
        _say(f"stopped at epoch {run.status['epoch']}; go on with: kcnn resume {run.path}")
        return
    for split, figures in run.splits.items():
        _say(
            f"{split}: "
            + ", ".join(f"{k} {figures[k]:.4f}" for k in ("accuracy", "macro_f1") if figures.get(k) is not None)
        )
    _say(f"weights: those of epoch {run.status['best_epoch']} of {run.status['epoch']}, the best")
    _say(f"report: {run.report}")


def _say(line):
    typer.echo(line)


def main():
    """The command `kcnn`: a `UserError` is one line and status 2, Ctrl-C is status 130."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(level=logging.INFO, format="kcnn: %(message)s", stream=sys.stderr)
    for noisy in ("absl", "jax", "tensorflow"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    try:
        app()
    except UserError as error:
        typer.echo(f"kcnn: {error}", err=True)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
