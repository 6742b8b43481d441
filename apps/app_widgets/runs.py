"""Runs as the pages show them: to be picked, as cards, alive, and as a report."""

from pathlib import Path

import pandas
import streamlit as st

from app_widgets.places import runs, trainings
from app_widgets.words import code, duration, empty, plain, score

PICKED = "picked run"
WEIGHTS = "best.safetensors"  # of a run: there once an epoch has ended
COLOURS = {"finished": "green", "stopped": "orange", "failed": "red"}
EVERY = 2  # seconds between two looks at a run that is trained
WAY = "Train something on the **Train** page, or the digits by one click on **Start**."


def badge(state):
    """The state of a run in its colour."""
    return f":{COLOURS.get(state, 'blue')}-badge[{plain(state)}]"


def pick(label="Run", trained=False):
    """The name of a run that the user picks, kept over pages and in the address; None after saying that there is none.

    trained: only runs that have learned something.
    """
    known = [run["name"] for run in trainings().list() if not trained or Path(run["path"], WEIGHTS).is_file()]
    if not known:
        empty(f"No {'trained ' if trained else ''}run yet in {code(runs().resolve())}.", WAY)
        return None
    if st.session_state.get(PICKED) not in known:
        wanted = st.session_state.get("run") or st.query_params.get("run")
        st.session_state[PICKED] = wanted if wanted in known else known[0]
    chosen = st.selectbox(label, known, key=PICKED)
    st.session_state["run"] = st.query_params["run"] = chosen
    return chosen


def card(run):
    """One run in a line: name, state, how far it is, its scores; and the way to it."""
    with st.container(border=True):
        name, progress, scores, way = st.columns([4, 3, 4, 2], vertical_alignment="center")
        name.markdown(f"**{plain(run['name'])}** {badge(run['state'])}")
        how_far(progress, run)
        numbers = [(key, value) for key, value in run["metrics"].items() if isinstance(value, (int, float))][:3]
        scores.markdown(" · ".join(f"{plain(key)} **{score(value)}**" for key, value in numbers) or " ")
        if way.button("Open", key=f"open {run['name']}"):
            st.session_state["run"] = run["name"]
            st.switch_page("app_pages/runs.py")


def how_far(place, run):
    """A bar of the epochs that are done."""
    done, planned = run["epoch"], run["epochs"]
    text = f"epoch {done} of {planned}" if planned else " "
    place.progress(min(done / planned, 1.0) if planned else 0.0, text=text)


def figures(seen):
    """Where a run is: epoch, step, speed, time left, best score."""
    shown = {
        "Epoch": f"{seen['epoch']} / {seen['epochs']}",
        "Step": f"{seen['step']} / {seen['steps']}",
        "Pictures a second": f"{seen['images_per_second']:.0f}" if seen["images_per_second"] else "–",
        "Time left": duration(seen["eta_seconds"] if seen["state"] == "training" else None),
        "Best so far": score(seen["best"]),
    }
    row = st.container(horizontal=True, gap="medium")
    for label, value in shown.items():
        row.metric(label, value, width="content")


def curves(history):
    """Each figure of the history over the epochs; that of training and of validation in one chart."""
    rows = pandas.DataFrame(history).set_index("epoch")
    pairs = [name for name in rows if f"val_{name}" in rows]
    singles = [name for name in rows if not name.startswith("val_") and name not in (*pairs, "step")]
    charts = [{"training": name, "validation": f"val_{name}"} for name in pairs] + [{name: name} for name in singles]
    places = st.columns(2)
    for place, chart in zip(places * len(charts), charts, strict=False):
        name = next(iter(chart.values()))
        with place.container(border=True):
            st.caption(plain(name.replace("_", " ")))
            shown = pandas.DataFrame({label: rows[column] for label, column in chart.items()})
            draw = st.line_chart if len(shown) > 1 else st.scatter_chart
            draw(shown, height=230, x_label="epoch")


def report(path):
    """The report page with its plots in their places; its text is escaped where it was written."""
    for block in map(str.strip, Path(path).read_text("utf-8").split("\n\n")):
        figure = block.removesuffix(")").rpartition("](")[2] if block.startswith("![") else ""
        if figure and (Path(path).parent / Path(figure).name).is_file():
            st.image(Path(path).parent / Path(figure).name)
        else:
            st.markdown(block.replace("# ", "### ", 1) if block.startswith("#") else block)
