"""Runs: what they do now, their curves and reports; stop, go on, clone, compare, delete."""

import streamlit as st

from app_widgets import runs as shown
from app_widgets.asking import ask
from app_widgets.comparison import comparison
from app_widgets.draft import replace_draft
from app_widgets.places import runs, trainings
from app_widgets.words import plain, tell, told


def page():
    st.title("Runs")
    name = shown.pick()
    if name is None:
        return
    with told():
        seen = trainings().watch(name)
        state = seen["state"]
        steer(seen)
        st.fragment(alive, run_every=shown.EVERY if seen["live"] else None)(name, state)
        compare(name)


def alive(name, state):
    """The run as it is now; drawn again and again while it is trained, and with all of the page in a new state."""
    with told():
        seen = trainings().watch(name)
        if seen["state"] != state:
            st.rerun()
        st.markdown(f"### {plain(name)} {shown.badge(state)}")
        if state == "failed":
            tell(seen["reason"])
        if state == "stopped":
            st.info(f"Stopped at step {seen['step']}. Resume goes on exactly there.", icon=":material/info:")
        shown.how_far(st, seen)
        shown.figures(seen)
        details(seen)


def steer(seen):
    """What can be done with a run in its state."""
    name, state, desk = seen["name"], seen["state"], trainings()
    live, halted = seen["live"], state in ("stopped", "failed")
    row = st.container(horizontal=True)
    if row.button("Stop", icon=":material/stop:", disabled=not live or state == "starting"):
        do(desk.stop, name)
    if row.button("Resume", icon=":material/play_arrow:", disabled=not halted):
        do(desk.resume, name)
    with row.popover("Extend", icon=":material/add:", disabled=state != "finished"):
        epochs = st.number_input("More epochs", 1, 100_000, 10)
        if st.button("Train on", type="primary"):
            do(desk.extend, name, epochs)
    if row.button("Clone", icon=":material/content_copy:", disabled=seen["recipe"] is None):
        replace_draft(seen["recipe"])
        st.switch_page("app_pages/train.py")
    with row.popover("Delete", icon=":material/delete:", disabled=live):
        st.markdown(f"All of **{plain(name)}**: weights, report and exports. It cannot be brought back.")
        if st.button("Delete it for good", type="primary"):
            do(desk.delete, name)


def do(verb, *words):
    """Do it, and show what came of it."""
    with told():
        verb(*words)
        st.rerun()


def details(seen):
    """Curves, report, recipe and log."""
    curves, report, recipe, log = st.tabs(["Curves", "Report", "Recipe", "Log"])
    with curves:
        for warning in seen["warnings"]:
            st.warning(plain(warning), icon=":material/lightbulb:")
        if seen["history"]:
            shown.curves(seen["history"])
        else:
            st.caption("The first epoch has not ended yet.")
    with report:
        if seen["report"]:
            shown.report(seen["report"])
        else:
            st.caption("The report comes when training ends or is stopped.")
    recipe.code(seen["recipe"].to_toml() if seen["recipe"] else "", language="toml")
    log.code(seen["log"] or "nothing said yet", language=None, height=420)


def compare(name):
    """This run against others: recipes, and the difference on the very same pictures."""
    others = [run["name"] for run in trainings().list() if run["name"] != name]
    chosen = st.multiselect("Compare with", others, placeholder="other runs")
    if chosen:
        found = ask("compare", *(str(runs() / one) for one in (name, *chosen)), waiting="Comparing")
        if found:
            comparison(found)


page()
