"""The dashboard, run by `kcnn app`: routes only; pages show what `kcnn`'s public names give them."""

import streamlit as st

st.set_page_config(page_title="kcnn", page_icon=":material/grid_view:", layout="wide")
st.navigation([st.Page("app_pages/start.py", title="Runs", icon=":material/list_alt:", default=True)]).run()
