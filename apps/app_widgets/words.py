"""How the dashboard speaks: text that is safe to show, mistakes in one line, and a form's content in three ways."""

from contextlib import contextmanager

import streamlit as st

from kcnn import UserError
from kcnn.recipe import as_command, as_python, as_toml

LONGEST = 1000  # characters of a mistake


def plain(text):
    """`text` on one line, without the characters that Markdown would read."""
    return "".join("\\" + c if c in "\\`*_[]<>#$:~|" else c for c in " ".join(str(text).split()))


def code(text):
    """`text` set as code."""
    return "`" + " ".join(str(text).split()).replace("`", "'") + "`"


def tell(mistake):
    """A user's mistake, in the words of the command line; of a very long one, its beginning."""
    said = str(mistake)
    st.error(plain(said if len(said) <= LONGEST else f"{said[:LONGEST]} …"), icon=":material/error:")


@contextmanager
def told():
    """Within the block a `UserError` is told on the page."""
    try:
        yield
    except UserError as mistake:
        tell(mistake)


def three_ways(python, toml, command):
    """What a form says, as Python, as a recipe and as a command, to copy."""
    with st.expander("The same as Python, recipe and command", icon=":material/code:"):
        shown = zip(st.tabs(["Python", "Recipe", "Command"]), (python, toml, command), strict=True)
        for (tab, text), language in zip(shown, ("python", "toml", "bash"), strict=True):
            tab.code(text, language=language, wrap_lines=True)


def recipe_in_three_ways(recipe, name=""):
    """The training that a recipe says, called `name`."""
    three_ways(as_python(recipe, name), as_toml(recipe), as_command(recipe, name))


def empty(what, way_out):
    """A page with nothing to show says what to do."""
    st.info(f"{what} {way_out}", icon=":material/school:")


def large(number):
    """A number as people say it: 11.7 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def duration(seconds):
    """Seconds as people say them; "–" for none."""
    if seconds is None:
        return "–"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def score(value):
    """A figure of a run: a share as a percentage."""
    return "–" if value is None else f"{value:.2%}" if 0 <= value <= 1 else f"{value:.4g}"
