"""The dashboard, run by `kcnn app`: routes only; pages show what `kcnn`'s public names give them."""

import streamlit as st

from app_widgets import door

ROUTES = {
    "": [("start", "Start", "home")],
    "Prepare": [("data", "Data", "photo_library"), ("augment", "Augment", "auto_fix_high"),
                ("architectures", "Architectures", "account_tree")],
    "Train": [("train", "Train", "model_training"), ("runs", "Runs", "monitoring")],
    "Use": [("predict", "Predict", "image_search"), ("explain", "Explain", "visibility"),
            ("export", "Export", "output")],
}  # fmt: skip

st.set_page_config(page_title="kcnn", page_icon=":material/grid_view:", layout="wide", initial_sidebar_state=220)
door.ask_password()
pages = {
    group: [
        st.Page(f"app_pages/{file}.py", title=title, icon=f":material/{icon}:", default=file == "start")
        for file, title, icon in rows
    ]
    for group, rows in ROUTES.items()
}
st.navigation(pages).run()
