"""The door of a public dashboard: nothing is shown before the password that it was started with."""

import hmac
import os
import time

import streamlit as st

PASSWORD = "KCNN_APP_PASSWORD"
PAUSE = 2.0  # seconds that a wrong password costs, whoever gives it


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
            time.sleep(PAUSE)
            st.error("That is not the password.", icon=":material/lock:")
    st.stop()
