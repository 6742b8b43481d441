"""The first page: train something at once, go on with what is there, or start from a recipe."""

import streamlit as st

from app_widgets.asking import warm_up
from app_widgets.draft import replace_draft
from app_widgets.places import runs, trainings
from app_widgets.runs import card
from app_widgets.words import code, empty, recipe_in_three_ways, told
from kcnn.recipe import read
from kcnn.resources import recipe_titles, recipes

DIGITS = "classify/digits"
SHOWN = 8


def page():
    st.title("kcnn")
    st.markdown("From a folder of pictures to a trained, measured, explained and served convolutional network.")
    warm_up()
    digits, own = st.columns(2, border=True)
    with digits:
        train_digits()
    with own:
        st.subheader("Your own pictures")
        st.markdown("One folder a class, a zip archive of that, a CSV table, or a TensorFlow dataset.")
        st.page_link("app_pages/data.py", label="Choose and check the data", icon=":material/photo_library:")
        st.page_link("app_pages/train.py", label="Set up the training", icon=":material/model_training:")
    recent()
    from_recipe()


def train_digits():
    st.subheader("Try it")
    st.markdown("1 797 real handwritten digits, two minutes, nothing to set up.")
    recipe = read(recipes()[DIGITS])
    if st.button("Train the digits", type="primary", icon=":material/play_arrow:"):
        with told():
            st.session_state["run"] = trainings().start(recipe)
            st.switch_page("app_pages/runs.py")
    recipe_in_three_ways(recipe)


def recent():
    st.subheader("Recent runs")
    known = trainings().list()
    if not known:
        empty(f"No run yet in {code(runs().resolve())}.", "What you train appears here.")
    for run in known[:SHOWN]:
        card(run)
    if len(known) > SHOWN:
        st.caption(f"and {len(known) - SHOWN} more on the page Runs")


def from_recipe():
    st.subheader("Recipes")
    titles = recipe_titles()
    name = st.selectbox("Recipe", list(titles), format_func=lambda name: f"{name}: {titles[name]}")
    if st.button("Open it in the form", icon=":material/edit:"):
        replace_draft(read(recipes()[name]))
        st.switch_page("app_pages/train.py")


page()
