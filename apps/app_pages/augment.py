"""Augment: sliders for every change of the pictures, and what training would see, beside the originals."""

import streamlit as st

from app_widgets.draft import drafted
from app_widgets.form import form
from app_widgets.sheets import augmented
from app_widgets.words import recipe_in_three_ways


def page():
    st.title("Augment")
    st.markdown("Random changes to training pictures. What is set here is what the page **Train** trains with.")
    sliders, sheet = st.columns([1, 2], gap="large")
    with sliders, st.container(height=720, border=False):
        form("augment", sliders=True)
    with sheet:
        recipe = drafted()
        if recipe is not None:
            augmented(recipe)
    if recipe is not None:
        recipe_in_three_ways(recipe)


page()
