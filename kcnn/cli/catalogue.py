"""Verbs on what kcnn has: names of every kind, and one architecture described."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Annotated

import typer

from kcnn.cli.words import app, say, the_api
from kcnn.errors import UserError

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
Bound = Annotated[str | None, typer.Option(metavar="NUMBER", help="architectures with no more, such as 10M or 1.5G")]


@app.command("list")
def list_(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="WHAT",
            help="architectures, heads, augmentations, schedules, optimizers, explainers, recipes, options or tips",
        ),
    ] = None,
    family: Annotated[str | None, typer.Option(help="architectures of this family")] = None,
    since: Annotated[int | None, typer.Option(help="architectures of this year and later")] = None,
    until: Annotated[int | None, typer.Option(help="architectures of this year and earlier")] = None,
    max_parameters: Bound = None,
    max_multiply_adds: Bound = None,
    as_json: Annotated[bool, typer.Option("--json", help="architectures as JSON")] = False,
):
    """Names of what kcnn has; without WHAT, what can be listed. Architectures may be chosen by year and cost."""
    from kcnn import listing

    bounds = {"family": family, "since": since, "until": until}
    bounds |= {"max_parameters": _number(max_parameters), "max_multiply_adds": _number(max_multiply_adds)}
    bounds = {name: value for name, value in bounds.items() if value is not None}
    if what != "architectures" and (bounds or as_json):
        raise UserError("bounds and --json are for `kcnn list architectures`")
    if what is not None and what not in listing.LIGHT:
        the_api()
    for line in listing.architectures(bounds, as_json) if what == "architectures" else listing.lines(what):
        say(line)


@app.command()
def describe(
    architecture: Annotated[str, typer.Argument(metavar="ARCH", help="from `kcnn list architectures`")],
    image: Annotated[
        str | None,
        typer.Option("--input", metavar="HxWxC", help="224x224x3, 1000x1 …; the paper's if none"),
    ] = None,
    classes: Annotated[int | None, typer.Option(help="the paper's if not given")] = None,
    stem: Annotated[str, typer.Option(help="auto, small or standard")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
    out: Annotated[Path | None, typer.Option(help="draw the stages into this PNG")] = None,
):
    """What an architecture is made of: costs, levels, receptive fields, and what it changed against its ancestor."""
    shape = None if image is None else _shape(image)
    found = the_api().describe(architecture, shape, classes, stem=stem, out=out)
    for line in [json.dumps(dataclasses.asdict(found), indent=1)] if as_json else found.lines():
        say(line)
    if out is not None:
        typer.echo(f"wrote {out}", err=as_json)


def _number(text):
    """10M as a number; None stays None."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMG]?)", text, re.IGNORECASE)
    if not found:
        raise UserError(f"{text!r} is no number such as 500k, 10M or 1.5G")
    return float(found[1]) * UNITS[found[2].upper()]


def _shape(text):
    if not re.fullmatch(r"\d+([x×]\d+)+", text):
        raise UserError(f"--input {text!r} must be sides and channels, such as 224x224x3")
    return tuple(map(int, re.split("[x×]", text)))
