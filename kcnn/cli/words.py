"""What the verbs of the command line share: the options that several take, the api, and how they speak."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

TITLE = "Train, measure, explain and ship convolutional networks."
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
CHANGE = "change any field of the recipe; `kcnn list options` names them"
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help=CHANGE)]
RecipeWord = Annotated[
    str | None, typer.Argument(metavar="[RECIPE]", help="a TOML file, or one from `kcnn list recipes`")
]
DataWord = Annotated[
    str | None, typer.Option("--data", help="a folder or archive, .csv, .npz, COCO .json, tfds:NAME, builtin:…")
]
ArchitectureWord = Annotated[str | None, typer.Option("--architecture", help="from `kcnn list architectures`")]
HeadWord = Annotated[str | None, typer.Option("--head", help="a name from `kcnn list heads`")]
Workers = Annotated[int, typer.Option(min=1, help="train in so many processes of this machine, together")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="a run folder, such as runs/digits-1")]


def _versions(asked):
    if asked:
        from importlib.metadata import version

        say(", ".join(f"{name} {version(name)}" for name in ("kcnn", "keras", "tensorflow")))
        raise typer.Exit


@app.callback(help=TITLE)
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_versions, is_eager=True, help="say it and end")
    ] = False,
):
    pass


def the_api():
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


def parsed(settings):
    """{"section.key": value} of what stands behind each --set."""
    from kcnn.recipe import parse_setting

    return dict(parse_setting(text) for text in settings or [])


def say(line):
    """One line of the answer, on standard output."""
    typer.echo(line)
