"""The command line: one verb a function, each a thin call on the public api.

Heavy imports wait inside the verbs, so that `kcnn --help` answers at once. The verbs are listed in the order in which
their files are imported here.
"""

import logging
import os
import sys

import typer

from kcnn.cli.words import app
from kcnn.errors import UserError

# isort: off
from kcnn.cli import training, results, catalogue, material  # noqa: F401
# isort: on

__all__ = ["app", "main"]


def main():
    """The command `kcnn`: a `UserError` is one line and its status, Ctrl-C is status 130."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(level=logging.INFO, format="kcnn: %(message)s", stream=sys.stderr)
    for noisy in ("absl", "jax", "tensorflow"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    try:
        app()
    except UserError as error:
        typer.echo(f"kcnn: {error}", err=True)
        raise SystemExit(error.status) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
