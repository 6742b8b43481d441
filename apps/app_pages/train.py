"""Train: a form made from the recipe's schema, what it would cost, and the start."""

import pandas
import streamlit as st

from app_widgets.asking import ask
from app_widgets.draft import beside_the_short_form, drafted, replace_draft
from app_widgets.form import form
from app_widgets.places import trainings
from app_widgets.sheets import augmented
from app_widgets.words import duration, plain, recipe_in_three_ways, told
from kcnn import Recipe
from kcnn.recipe import as_value


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
            also_set()
    with beside:
        recipe = drafted()
        if recipe is not None:
            name = start(recipe)
            learning_rate(recipe)
            plan(recipe)
            if st.button("Look at what training sees", icon=":material/image_search:", width="stretch"):
                look(recipe)
    if recipe is not None:
        recipe_in_three_ways(recipe, name)


def also_set():
    """What the full form and other pages have set, so that nothing is trained with unseen."""
    others = beside_the_short_form()
    if others:
        said = ", ".join(f"{path} = {as_value(value)}" for path, value in others.items())
        st.caption(f"Also set, in the full form: {plain(said)}")


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


@st.dialog("What training sees", width=900)
def look(recipe):
    """Pictures of the data as the form has them read and augmented, with their masks."""
    augmented(recipe)


def plan(recipe):
    """Memory and time, from a few real steps, when asked for."""
    if st.button("What will it cost?", icon=":material/timer:", width="stretch"):
        found = ask("plan", recipe.model_dump(), waiting="Taking a few steps")
        if found:
            row = st.container(horizontal=True)
            row.metric("All epochs", duration(found["epochs"] * found["epoch_seconds"]), width="content")
            row.metric("Memory, MiB", f"{found['peak_memory'] / 2**20:,.0f}", width="content")
            with st.expander("All of the plan"):
                st.code("\n".join(found["lines"]), language=None, wrap_lines=True)


page()
