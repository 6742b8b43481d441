"""The first page: what has been trained here, and how to train something."""

import os
from pathlib import Path

import streamlit as st

import kcnn
from kcnn.recipe import Recipe

COMMAND = "kcnn demo"
COMMANDS = """kcnn demo                                                # the tour, offline, on real digits
kcnn fit --data photos/ --architecture resnet18          # your own pictures: one folder a class
kcnn fit recipes/classify/digits.toml                    # or what a recipe says"""
PYTHON = """import kcnn

run = kcnn.build_and_fit_classifier("photos/", architecture="resnet18", epochs=10)
run.metrics["accuracy"]
run.predict("cat.jpg")"""
COLOURS = {"finished": "green", "training": "blue", "preparing": "blue", "evaluating": "blue", "stopped": "orange"}


def page():
    st.title("Runs")
    folder = os.environ.get("KCNN_RUNS") or Recipe().runtime.runs
    runs = kcnn.list_runs(folder)
    place = f"`{Path(folder).resolve()}`"
    if runs:
        st.caption(f"{len(runs)} in {place}, newest first")
        for run in runs[:50]:
            card(run)
    else:
        st.info(
            f"No run yet in {place}. Type `{COMMAND}` in a terminal for a tour of two minutes, "
            "or train on pictures of your own as shown below; what you train appears here.",
            icon=":material/school:",
        )
    how_to_start(expanded=not runs)


def card(run):
    """One run: its name and state, how far it is, its scores, its report."""
    with st.container(border=True):
        name, progress, scores = st.columns([3, 2, 5], vertical_alignment="center")
        name.markdown(f"**{plain(run['name'])}** :{COLOURS.get(run['state'], 'red')}-badge[{plain(run['state'])}]")
        done, planned = run["epoch"], run["epochs"]
        progress.progress(min(done / planned, 1.0) if planned else 0.0, text=f"epoch {done} of {planned}")
        numbers = {key: value for key, value in run["metrics"].items() if isinstance(value, (int, float))}
        for column, (key, value) in zip(scores.columns(3), list(numbers.items())[:3], strict=False):
            column.metric(plain(key), f"{value:.2%}" if 0 <= value <= 1 else f"{value:.4g}")
        report = Path(run["path"]) / "report" / "report.md"
        if report.is_file():
            with st.expander("Report"):
                show_report(report)


def show_report(path):
    """The report page with its plots in their places; its text is escaped where it was written."""
    for block in path.read_text("utf-8").split("\n\n"):
        figure = block.removesuffix(")").rpartition("](")[2] if block.startswith("![") else ""
        if figure and (path.parent / Path(figure).name).is_file():
            st.image(path.parent / Path(figure).name)
        else:
            st.markdown(block.replace("# ", "### ", 1) if block.startswith("#") else block)


def how_to_start(expanded):
    with st.expander("How to train", expanded=expanded, icon=":material/terminal:"):
        shell, python = st.columns(2)
        shell.caption("In a terminal")
        shell.code(COMMANDS, language="bash")
        python.caption("In Python")
        python.code(PYTHON, language="python")


def plain(text):
    """`text` without the characters that Markdown would read."""
    return "".join("\\" + c if c in "\\`*_[]<>#$:~|" else c for c in str(text))


page()
