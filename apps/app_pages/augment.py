"""Augment: sliders for every change of the pictures, and what training would see, beside the originals."""

import streamlit as st

from app_widgets.asking import ask
from app_widgets.draft import drafted
from app_widgets.form import form
from app_widgets.places import scratch
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
            preview(recipe)
    if recipe is not None:
        recipe_in_three_ways(recipe)


def preview(recipe):
    """Each picture as it is, and versions of it; boxes and masks are drawn where the data has them."""
    folder = scratch("sheets", recipe.data, recipe.augment, recipe.runtime.seed)
    waiting = f"Augmenting pictures of {recipe.data.source}"
    path = ask(
        "show_augmentation", recipe.data.source, recipe, str(folder), file=folder / "augmented.png", waiting=waiting
    )
    if path:
        st.image(path)
        st.caption("Left: as the network is evaluated on it. Right: as the first epochs would see it.")


page()
