"""Verbs that make something of a finished run: scores, answers, explanations, exports."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from kcnn.cli.words import RunPath, app, say, the_api
from kcnn.errors import UserError, unknown_name


@app.command()
def evaluate(
    run: RunPath,
    split: Annotated[str, typer.Option(help="val, test, or any other split of the data")] = "val",
    data: Annotated[str | None, typer.Option(help="other data, of any of the run's classes")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
):
    """Score a run on one split; each use of a test split is logged in the run."""
    figures = the_api().load_run(run).evaluate(split, data)
    numbers = {k: v for k, v in figures.items() if isinstance(v, (int, float))}
    if as_json:
        return say(json.dumps(numbers | {"intervals": figures["intervals"]}, indent=1))
    from kcnn.evaluation import summary

    for line in summary(figures):
        say(line)
    return say(f"report: {run / 'report' / 'report.md'}" if data is None else "other data: the report stays as it is")


@app.command()
def robustness(
    run: RunPath,
    split: Annotated[str, typer.Option(help="val, test, or any other split of the data")] = "val",
    limit: Annotated[int, typer.Option(min=1, help="pictures at most; each is looked at some ninety times")] = 300,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
):
    """Score a run on pictures with noise, blur, fog …, and on ones changed to mislead it; added to the report."""
    figures = the_api().load_run(run).robustness(split, limit)
    if as_json:
        return say(json.dumps(figures, indent=1))
    from kcnn.evaluation import robustness_summary

    for line in robustness_summary(figures):
        say(line)
    return say(f"report: {run / 'report' / 'report.md'}")


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="run folders; each against the first")],
    split: Annotated[str | None, typer.Option(help="only this split; all scored ones if not given")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
):
    """Runs side by side: recipes, scores with intervals, and the difference on the same pictures."""
    found = the_api().compare(*runs, split=split)
    if as_json:
        return say(json.dumps(found, indent=1))
    from rich.console import Console

    from kcnn.comparison_table import show

    return show(found, Console(width=None if sys.stdout.isatty() else 160))


@app.command()
def predict(
    run: RunPath,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="pictures, or folders of them")],
    top: Annotated[int, typer.Option(min=1, help="how many labels each")] = 3,
    out: Annotated[Path | None, typer.Option(help="a folder for drawings, masks, polygons, boxes")] = None,
):
    """What a run sees in pictures: one line of JSON each. Status 1 where a picture could not be read."""
    api = the_api()
    from kcnn.data import picture_files

    answers = api.load_run(run).predict(picture_files(images), top=top, out=out)
    for answer in answers:
        said = {key: value for key, value in answer.items() if key not in ("mask", "masks")}
        say(json.dumps(said, default=lambda values: values.astype(float).round(4).tolist()))
    raise typer.Exit(1 if any("error" in answer for answer in answers) else 0)


@app.command()
def explain(
    run: RunPath,
    image: Annotated[Path | None, typer.Argument(metavar="[IMAGE]", help="a picture, where one is looked at")] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="a heat map (kcnn list explainers), or: filters, feature_maps, activation_maximisation, inversion; "
            "grad_cam if not given, of a detector layer_cam"
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="the class, or an object's number; the predicted one if not given")
    ] = None,
    level: Annotated[
        str | None, typer.Option(help="c2 … c5, or a layer's name; the deepest if not given, of a detector the finest")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="the PNG to write; in the run's folder explanations/ if not given")
    ] = None,
    sanity: Annotated[bool, typer.Option("--sanity", help="say how far the heat map can be trusted")] = False,
):
    """What a run sees, as PNG: where it looks in a picture, its first kernels, or its feature maps."""
    opened = the_api().load_run(run)
    from kcnn import inspection
    from kcnn.disk import make_folder

    method, known = method or opened.usual_explainer, [*inspection.EXPLAINERS, *inspection.VIEWS]
    if method not in known:
        raise unknown_name("method", method, known)
    name = "-".join(filter(None, (image and image.stem, method, level)))
    path = out or opened.path / "explanations" / f"{name}.png"
    make_folder(path.parent)
    if method in inspection.VIEWS:
        if target is not None or sanity:
            raise UserError(f"--target and --sanity are for heat maps, and {method} is none: leave them out")
        return say(f"wrote {opened.show(method, image, level=level, path=path)}")
    opened.explain(image, method, target=target, level=level, path=path)
    say(f"wrote {path}")
    if sanity:
        say(inspection.in_words(opened.explain_sanity(image, method, target=target, level=level)))
    return None


@app.command()
def export(
    run: RunPath,
    format: Annotated[
        str, typer.Option(help="saved_model, litert, litert_int8, onnx, openvino, keras …")
    ] = "saved_model",
    every: Annotated[bool, typer.Option("--all", help="in every format; status 1 where one is refused")] = False,
):
    """Write a run's model for other programs, and prove that it agrees."""
    opened = the_api().load_run(run)
    if not every:
        return say(f"wrote {opened.export(format)}")
    from kcnn.evaluation import fastest
    from kcnn.exporting import EXPORTERS, ExportDisagrees

    refused = 0
    for name in EXPORTERS:
        try:
            say(f"wrote {opened.export(name, timed=False)}")
        except (UserError, ExportDisagrees) as error:
            refused += 1
            say(f"not {name}: {error}")
    for line in fastest(opened.time_exports()):
        say(line)
    raise typer.Exit(1 if refused else 0)


@app.command()
def card(run: RunPath):
    """Write a run's model card: what it is, how good it is, where its limits are."""
    say(f"wrote {the_api().load_run(run).card()}")
