"""Train: a form made from the recipe's schema, what it would cost, and the start."""

import pandas
import streamlit as st

from app_widgets.asking import ask
from app_widgets.form import drafted, form, replace_draft
from app_widgets.places import trainings
from app_widgets.words import plain, recipe_in_three_ways, told
from kcnn import Recipe


def page():
    st.title("Train")
    settings, beside = st.columns([3, 2], gap="large")
    with settings:
        view = st.segmented_control("Form", ["Simple", "Full"], default="Simple", label_visibility="collapsed")
        if view == "Full":
            whole()
        else:
            for section in Recipe.model_fields:
                form(section, basic=True, columns=2, title=section.capitalize())
    with beside:
        recipe = drafted()
        if recipe is not None:
            name = start(recipe)
            learning_rate(recipe)
            plan(recipe)
    if recipe is not None:
        recipe_in_three_ways(recipe, name)


def whole():
    """Every field, a tab for each section."""
    sections = list(Recipe.model_fields)
    for section, tab in zip(sections, st.tabs([name.capitalize() for name in sections]), strict=True):
        with tab:
            form(section, columns=2)


def start(recipe):
    """The button that starts it; the name that the run was given."""
    name = st.text_input("Name of the run", placeholder="numbered by itself").strip()
    row = st.container(horizontal=True)
    if row.button("Start training", type="primary", icon=":material/play_arrow:"):
        with told():
            st.session_state["run"] = trainings().start(recipe, name or None)
            st.switch_page("app_pages/runs.py")
    if row.button("Reset", icon=":material/restart_alt:"):
        replace_draft(Recipe())
        st.rerun()
    return name


def learning_rate(recipe):
    """The curve of the schedule as the form has it."""
    found = ask("sketch_learning_rate", recipe.model_dump(), waiting="Drawing the learning rate")
    if found:
        st.caption("learning rate over the epochs")
        curve = pandas.DataFrame(found, columns=["epoch", "learning rate"]).set_index("epoch")
        st.line_chart(curve, height=200, x_label="epoch")


def plan(recipe):
    """Memory and time, from a few real steps, when asked for."""
    if st.button("What will it cost?", icon=":material/timer:", width="stretch"):
        found = ask("plan", recipe.model_dump(), waiting="Taking a few steps")
        for line in found["lines"] if found else ():
            st.markdown(plain(line.strip()))


page()
