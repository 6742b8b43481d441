"""The draft: what a visitor has chosen so far, on whichever page: {"section.key": value} beside the default recipe."""

import streamlit as st

from app_widgets.places import checked_recipe, runs
from app_widgets.words import tell
from kcnn import Recipe, UserError
from kcnn.recipe import changes, fields

KEY = "field "  # begins the key of a field's widget
SOURCE = "source of the draft"
OF_SOURCE = ("data.quarantine",)  # fields that name single pictures of the data


def draft():
    """What this visitor has chosen so far."""
    return st.session_state.setdefault("draft", {})


def choose(values):
    """Put `values` into the draft; widgets that are drawn later show them."""
    default = dict(fields())
    for path, value in values.items():
        draft()[path] = value
        if value == default[path].get("default"):
            del draft()[path]
        for key in [key for key in st.session_state if str(key).startswith(f"{KEY}{path}")]:
            del st.session_state[key]


def replace_draft(recipe):
    """Let the forms show `recipe`, and forget what they had."""
    for key in [key for key in st.session_state if str(key).startswith(KEY)]:
        del st.session_state[key]
    hidden = {path for path, spec in fields() if spec.get("written")}
    st.session_state[SOURCE] = changes(recipe).get("data.source")
    st.session_state["draft"] = {path: value for path, value in changes(recipe).items() if path not in hidden}


def drafted():
    """The `Recipe` of the draft, or None after its mistakes were told."""
    _forget_other_data()
    try:
        return checked_recipe(Recipe().override({**draft(), "runtime.runs": str(runs())}))
    except UserError as mistake:
        tell(mistake)
        return None


def _forget_other_data():
    """Where the draft has turned to other data, what it said of the last one's pictures is forgotten."""
    source = draft().get("data.source")
    if st.session_state.setdefault(SOURCE, source) != source:
        st.session_state[SOURCE] = source
        choose(dict.fromkeys(OF_SOURCE))


def beside_the_short_form():
    """{path: value} of what the draft sets and the short form does not show."""
    shown = {path for path, spec in fields() if spec.get("basic")}
    return {path: value for path, value in draft().items() if path not in shown}
