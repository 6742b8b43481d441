"""The door of a public dashboard: nothing is shown before the password that it was started with."""

import hmac
import os
import threading
import time

import streamlit as st

from kcnn.resources import PASSWORD

PAUSE = 2.0  # seconds that a wrong password costs, one visitor after another


@st.cache_resource(show_spinner=False)
def _turn():
    """One lock for all visitors, so that many at once guess no faster."""
    return threading.Lock()


def ask_password():
    """Return where the password was given, or where none is asked for; else ask, and end the page."""
    expected = os.environ.get(PASSWORD)
    if not expected or st.session_state.get("let in"):
        return
    st.title("kcnn")
    with st.form("password"):
        given = st.text_input("Password", type="password")
        if st.form_submit_button("Enter"):
            if hmac.compare_digest(given.encode(), expected.encode()):
                st.session_state["let in"] = True
                st.rerun()
            with _turn():
                time.sleep(PAUSE)
            st.error("That is not the password.", icon=":material/lock:")
    st.stop()
