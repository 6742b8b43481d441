"""Verbs on what surrounds a training: other programs' files, data, the dashboard."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from kcnn.cli.words import Settings, app, parsed, say, the_api
from kcnn.errors import UserError
from kcnn.resources import PASSWORD, RUNS

LEAST = 12  # characters of the password of a public dashboard


@app.command()
def convert(
    model: Annotated[Path, typer.Argument(metavar="FILE", help="a .keras or .h5 file")],
    out: Annotated[Path | None, typer.Option(help="the .safetensors file to write; beside FILE if not given")] = None,
    trust: Annotated[bool, typer.Option("--trust", help="load it although that can run any code it carries")] = False,
):
    """Take the weights out of another program's model file, for `kcnn fit --weights`."""
    the_api()
    from kcnn.conversion import convert as take_out

    say(f"wrote {take_out(model, out, trust)}")


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
    api = the_api()
    if augment is not None:
        return say(f"wrote {api.show_augmentation(data, augment, out, **parsed(settings))}")
    from kcnn.doctor import text
    from kcnn.progress import bars

    with bars() as tell:
        found = api.diagnose_data(data, out=out, progress=tell, **parsed(settings))
    for line in [found.model_dump_json(indent=1)] if as_json else text(found, folder=out):
        say(line)
    if out is not None:
        typer.echo(f"wrote {out / 'check.md'} and {out / 'quarantine.csv'}", err=as_json)
    elif found.findings and not as_json:
        say(f"The pictures, and a list to leave out: kcnn check {data} --out FOLDER")
    raise typer.Exit(1 if strict and found.is_severe else 0)


@app.command("app")
def app_(
    runs: Annotated[str, typer.Option(help="the folder of run folders to show and to train into")] = RUNS,
    data: Annotated[
        list[Path] | None, typer.Option(help="a folder below which data and weights may be read; the working folder")
    ] = None,
    port: Annotated[int, typer.Option(help="of the page")] = 8501,
    public: Annotated[
        bool, typer.Option("--public", help="also for other machines; asks for the password in KCNN_APP_PASSWORD")
    ] = False,
):
    """Open the dashboard in a browser, on this machine only unless it is made public."""
    from kcnn.resources import folder

    options = {"server.port": port, **(_public() if public else {})}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "streamlit", "run", str(folder("apps") / "kcnn_app.py"), *words]
    folders = os.pathsep.join(str(path.resolve()) for path in data or [Path()])
    given = {"KCNN_RUNS": runs, "KCNN_APP_DATA": folders} | ({} if public else {PASSWORD: ""})
    # In place of this process: none is left behind when it ends.
    os.execve(sys.executable, command, {**_unsettled(), **given})


def _unsettled():
    """The environment without what would change a setting of the dashboard's own."""
    import re
    import tomllib

    from kcnn.resources import folder

    settings = tomllib.loads((folder("apps") / ".streamlit" / "config.toml").read_text("utf-8"))
    names = [f"streamlit_{section}_{key}" for section, keys in settings.items() for key in keys]
    own = {re.sub("([A-Z])", r"_\1", name).upper() for name in names}
    return {name: value for name, value in os.environ.items() if name not in own}


def _public():
    """The server's options for other machines, after what that means was said; a password is asked for."""
    if len(os.environ.get(PASSWORD, "")) < LEAST:
        raise UserError(
            f"--public needs a password: set {PASSWORD} to {LEAST} characters or more. Whoever has it can train here "
            "and read all pictures below --data and --runs"
        )
    typer.echo(
        "kcnn: public: whoever reaches this machine and has the password can train here, use its disk and processor, "
        "and read what is below --data and --runs. Nothing is encrypted, and files can be sent before the password is "
        "given: put a server before it that speaks HTTPS and limits who comes.",
        err=True,
    )
    return {"server.address": "0.0.0.0", "server.allowedHosts": "*", "server.headless": "true"}
