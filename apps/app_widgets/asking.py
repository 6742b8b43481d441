"""Answers of the helper process: while one is worked on, the page says for how long and stays alive."""

import time
from concurrent.futures import CancelledError, wait
from pathlib import Path

import streamlit as st

import kcnn
from app_widgets.places import mark
from app_widgets.words import plain, tell

LONG = ("diagnose_data", "plan", "compare", "run.export", "run.explain_sanity")
QUIET = 0.4  # seconds before a page says that it waits


@st.cache_resource(show_spinner=False)
def helper(long=False):
    """The helper of this server, and another for what takes long, so that nothing short waits for that."""
    return kcnn.Helper()


def warm_up():
    """Let the helper load what all questions need, before one is asked."""
    _asked(mark(("list_names", (), {}, None)), ("list_names", (), {}))


@st.cache_resource(max_entries=100, show_spinner=False)
def _asked(key, _question):
    verb, args, options = _question
    return helper(verb in LONG).ask(verb, *args, **options)


def ask(verb, *args, waiting="Working", stamp=None, file=None, **options):
    """What kcnn's public `verb` answers, or None after the page has said why it does not.

    A question that was asked before is not asked again, unless its `stamp` is another, the run that it is about has
    other weights, or the `file` that the answer wrote is gone.
    """
    if verb.startswith("run.") or verb == "compare":
        stamp = stamp, [_weights(run) for run in (args if verb == "compare" else args[:1])]
    key = mark((verb, args, options, stamp))
    if file is not None and not Path(file).exists():
        _asked.clear(key, None)
    question = _asked(key, (verb, args, options))
    try:
        return _awaited(question, waiting)
    except kcnn.UserError as mistake:
        tell(mistake)
    except (RuntimeError, CancelledError):
        tell("kcnn failed at this; the terminal that runs the dashboard shows where")
    except BaseException:  # the visitor wants something else: what nobody works on yet need not be done
        if question.cancel():
            _asked.clear(key, None)
        raise
    _asked.clear(key, None)
    return None


def _weights(run):
    """What changes with the weights or the report of a run."""
    files = (Path(run, "best.safetensors"), Path(run, "report", "metrics.json"))
    return [file.stat().st_mtime_ns if file.exists() else 0 for file in files]


def _awaited(question, waiting):
    """The answer. Each look at the clock is a chance for the user to do something else, which ends the wait."""
    wait([question], QUIET)
    place, began = st.empty(), time.monotonic()
    while not question.done():
        place.caption(f":material/hourglass_top: {plain(waiting)} … {time.monotonic() - began + QUIET:.0f} s")
        wait([question], 0.5)
    place.empty()
    return question.result()


def names(kind):
    """{name: one line on it} of a kind of the catalogue."""
    return (ask("list_names", waiting="Loading TensorFlow, once") or {}).get(kind, {})
