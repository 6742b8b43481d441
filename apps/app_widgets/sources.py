"""Ways to name the data without typing: what lies in the folders of data, and an archive of the visitor's own."""

import streamlit as st

from app_widgets.draft import choose
from app_widgets.places import found_below
from app_widgets.uploads import kept_archive
from app_widgets.words import told

NEARBY = "data nearby"


def nearby():
    """What lies directly in the folders of data, to be picked."""
    known = found_below()
    st.selectbox(
        "Found there", known, index=None, key=NEARBY, on_change=_take, placeholder=f"{len(known)} folders and files"
    )


def _take():
    if st.session_state[NEARBY] is not None:
        choose({"data.source": st.session_state[NEARBY]})


def upload():
    """An archive from the visitor's own machine becomes the data."""
    with st.expander("Upload an archive: one folder a class", icon=":material/upload:"):
        given = st.file_uploader("A .zip or .tar, at most 200 MB", type=["zip", "tar", "gz", "tgz", "bz2", "xz"])
        if given is not None and st.session_state.get("uploaded") != given.file_id:
            with told():
                choose({"data.source": kept_archive(given)})
                st.session_state["uploaded"] = given.file_id
                st.rerun()
