"""Architectures: the shelf by year, size and cost; one or two of them in detail."""

import pandas
import streamlit as st

from app_widgets.asking import ask, names
from app_widgets.draft import choose
from app_widgets.places import scratch
from app_widgets.words import empty, large, plain, three_ways


def page():
    st.title("Architectures")
    found = ask("browse_architectures", waiting="Loading TensorFlow, once", **bounds())
    if not found:
        empty("No architecture is within these bounds.", "Widen them.")
        return
    rows = pandas.DataFrame(found)[["name", "family", "year", "parameters", "multiply_adds", "depth", "idea"]]
    columns = {
        "parameters": st.column_config.NumberColumn(format="compact"),
        "multiply_adds": st.column_config.NumberColumn("multiply-adds", format="compact"),
        "year": st.column_config.NumberColumn(format="%d"),
    }
    st.dataframe(rows, hide_index=True, height=280, column_config=columns)
    first, second = st.columns(2)
    known = list(names("architectures"))
    here = list(rows["name"])
    chosen = first.selectbox("In detail", here + [name for name in known if name not in here])
    other = second.selectbox("Compare with", [None, *known], format_func=lambda name: name or "nothing")
    for place, name in zip(st.columns(2) if other else [st.container()], filter(None, (chosen, other)), strict=True):
        with place:
            detail(name)
    three_ways(
        f"import kcnn\n\nkcnn.describe({chosen!r})\nmodel = kcnn.build_model({chosen!r})",
        f'[model]\narchitecture = "{chosen}"\n', f"kcnn describe {chosen}",
    )  # fmt: skip


def bounds():
    """What the filters say, as `kcnn.browse_architectures` takes it."""
    since, until, parameters, cost = st.columns(4)
    any_number = {"min_value": 0.0, "value": None, "placeholder": "any"}
    given = {
        "since": since.number_input("From the year", 1990, 2030, None, placeholder="any"),
        "until": until.number_input("To the year", 1990, 2030, None, placeholder="any"),
        "max_parameters": parameters.number_input("Most parameters, in millions", **any_number),
        "max_multiply_adds": cost.number_input("Most multiply-adds, in billions", **any_number),
    }
    scale = {"max_parameters": 1e6, "max_multiply_adds": 1e9}
    return {name: value * scale.get(name, 1) for name, value in given.items() if value is not None}


def detail(name):
    """Stages, costs, receptive fields and ancestor of one."""
    file = scratch("stages", name) / "stages.png"
    found = ask("describe", name, out=str(file), file=file, waiting=f"Building {name}")
    if found is None:
        return
    st.subheader(plain(name))
    st.caption(plain(" · ".join(filter(None, (found["change"], found["paper"])))))
    figures = {"parameters": "parameters", "multiply-adds": "multiply_adds", "layers deep": "depth"}
    for column, (label, figure) in zip(st.columns(3), figures.items(), strict=True):
        column.metric(label, large(found[figure]))
    st.image(file)
    if found["ancestor"]:
        st.markdown(plain(found["lines"][-1]))
    if st.button(f"Train with {name}", key=f"use {name}", icon=":material/model_training:"):
        choose({"model.architecture": name})
        st.switch_page("app_pages/train.py")


page()
