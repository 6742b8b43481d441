"""Data: choose it, have it checked, look at what was found, and leave the bad ones out."""

import shlex
import time
from pathlib import Path

import pandas
import streamlit as st

from app_widgets.asking import ask
from app_widgets.draft import choose, draft, drafted
from app_widgets.form import field
from app_widgets.places import kept_list, roots, scratch
from app_widgets.runs import report
from app_widgets.sources import nearby, upload
from app_widgets.words import code, three_ways
from kcnn.recipe import as_toml, as_value

LIST = "data.quarantine"


def page():
    st.title("Data")
    source, size, framing = st.columns([4, 1, 1])
    with source:
        field("data.source")
    with size:
        field("data.image_size")
    with framing:
        field("data.framing")
    places = ", ".join(code(root) for root in roots())
    built_in = (
        "`builtin:digits`, with masks and boxes `builtin:digit-scenes` and, of volumes, `builtin:shells`; `tfds:NAME`"
    )
    kinds = "a folder (of NIfTI volumes, YOLO or VOC, too), archive, CSV, .npz or COCO .json file"
    st.caption(f"{built_in}; {kinds} below {places}")
    nearby()
    upload()
    recipe = drafted()
    if recipe is None:
        return
    address, others = recipe.data.source, other_settings()
    if st.button("Check this data", type="primary", icon=":material/stethoscope:"):
        st.session_state["checked"] = (address, time.time_ns())
    checked = st.session_state.get("checked")
    if checked and checked[0] == address:
        findings(address, others, checked)
    said = f", **{others!r}" if others else ""
    python = f'import kcnn\n\nfound = kcnn.diagnose_data({address!r}, out="checked"{said})'
    words = [f"--set {shlex.quote(f'{path}={as_value(value)}')}" for path, value in others.items()]
    three_ways(python, as_toml(recipe), " ".join(["kcnn check", shlex.quote(address), "--out checked", *words]))


def other_settings():
    """What the forms say of the data beside its address, and beside what is left out already."""
    beside = ("data.source", LIST)
    return {path: value for path, value in draft().items() if path.startswith("data.") and path not in beside}


def findings(address, others, asked):
    """The doctor's page, and the list of what had better be left out; looked for anew when it is asked for again."""
    folder = scratch("findings", address, others)
    given = {"out": str(folder), "waiting": "Examining every picture", "stamp": asked}
    found = ask("diagnose_data", address, **given, **others)
    if found is None or not (folder / "check.md").is_file():
        return
    if "model.head" not in draft():
        if found["places"]:
            learn("masks", "unet")
        elif found["boxes"]:
            learn("boxes", "yolo")
    leave_out(found["quarantine"], folder / "quarantine.csv")
    report(folder / "check.md")


def learn(what, head):
    """Data with masks or boxes wants a head that learns them: said here, before a training is refused for it."""
    st.info(f"This data has {what}, and the form's head learns labels.", icon=":material/school:")
    if st.button(f"Learn the {what}", icon=":material/image_search:"):
        choose({"model.head": head})
        st.rerun()


def leave_out(rows, file):
    """What had better be left out, to look through, and the switch that does it."""
    if draft().get(LIST):
        st.info("Training leaves out what a list names: `data.quarantine` is set.", icon=":material/block:")
        if st.button("Leave none out", icon=":material/undo:"):
            choose({LIST: None})
            st.rerun()
    if not rows:
        st.success("Nothing needs to be left out.", icon=":material/check:")
        return
    with st.container(border=True):
        st.markdown(f"**{len(rows)} pictures had better be left out**")
        st.dataframe(pandas.DataFrame(rows, columns=["picture", "why"]), hide_index=True, height=210)
        use, load = st.columns(2)
        if use.button("Leave them out in training", icon=":material/block:", width="stretch"):
            choose({LIST: kept_list(file)})
            st.rerun()
        load.download_button("Download the list", Path(file).read_bytes(), "quarantine.csv", width="stretch")


page()
