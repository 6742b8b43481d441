"""What several pages show of pictures: what training sees of them, and what a run answers with laid over them."""

import streamlit as st

from app_widgets.asking import ask
from app_widgets.places import scratch
from app_widgets.words import empty, plain
from kcnn import Recipe

NAMED = 24  # classes that a legend has at most
SWATCH = 4 * "\N{NO-BREAK SPACE}"


def augmented(recipe):
    """Pictures of the recipe's data as they are, and versions of each; masks are drawn where the data has them."""
    folder = scratch("sheets", recipe.data, recipe.augment, recipe.runtime.seed)
    waiting = f"Augmenting pictures of {recipe.data.source}"
    path = ask(
        "show_augmentation", recipe.data.source, recipe, str(folder), file=folder / "augmented.png", waiting=waiting
    )
    if path:
        st.image(path)
        same = "" if recipe.augment != Recipe().augment else " Nothing is augmented yet: all versions are alike."
        st.caption(f"Left: as the network is evaluated on it. Right: as the first epochs would see it.{same}")


def predicted(run, contents, top=3):
    """What `run` answers to pictures; masks and boxes are drawn, too, and the paths are in `files`.

    None after the page has said why there is no answer.
    """
    drawn, first = {}, {"masks": "picture-overlay.png", "boxes": "picture-boxes.png"}
    if (task := ask("run.task", run)) in first:
        folder = scratch("masks", run, contents)
        drawn = {"out": str(folder), "file": folder / first[task]}
    return ask("run.predict", run, contents, top=top, waiting="Looking", **drawn)


def legend(run, names=None):
    """The colours of the classes of the segmenter or detector `run`, or of those `names`."""
    colours = ask("run.class_colours", run) or {}
    names = [name for name in colours if names is None or name in names]
    shown = [f':color[{SWATCH}]{{background="{colours[name]}"}} {plain(name)}' for name in names[:NAMED]]
    more = [f"and {len(names) - NAMED} more"] if len(names) > NAMED else []
    st.markdown(" &emsp; ".join(shown + more))


def sees_pictures(run):
    """Whether `run` answers to pictures; the page says where it does not, and how it is asked."""
    if ask("run.of_pictures", run, waiting="Opening the run") is not False:
        return True
    way = "In Python, `run.predict` takes arrays of them; a segmenter of volumes takes NIfTI files, too."
    empty("This run learned from volumes, signals or other numbers, and pages show pictures alone.", way)
    return False
