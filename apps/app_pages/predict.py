"""Predict: a run's answers to pictures that the user brings."""

import shlex
from pathlib import Path

import streamlit as st

from app_widgets.asking import ask
from app_widgets.places import runs, scratch, trainings
from app_widgets.runs import pick
from app_widgets.sheets import legend, predicted, sees_pictures
from app_widgets.uploads import PICTURES, picture
from app_widgets.words import empty, plain, score, three_ways, told

MOST = 32  # pictures at once


def page():
    st.title("Predict")
    name = pick(trained=True)
    if name is None:
        return
    run = runs() / name
    if not sees_pictures(str(run)):
        return
    given = st.file_uploader("Pictures", **PICTURES, accept_multiple_files=True)[:MOST]
    boxes = ask("run.task", str(run)) == "boxes"
    top, threshold = st.columns(2)
    top = top.slider("Answers shown", 1, 10, 3)
    # Which boxes are shown is the run's choice already: from the score on that its report found to be the best.
    threshold = 0.0 if boxes else threshold.slider("Least score that counts as an answer", 0.0, 1.0, 0.5, 0.01)
    looks = not boxes and st.toggle("Show where the network looks")
    pictures = []
    for upload in given:
        with told():
            pictures.append((upload.name, picture(upload)))
    if pictures:
        contents = [content for _, content in pictures]
        found = predicted(str(run), contents, top) or []
        if any("files" in answer for answer in found):
            legend(str(run))
        answers(pictures, found, threshold, str(run) if looks else None)
    else:
        empty("No picture yet.", "Drop some above: of what the run was trained on, in any size.")
    with told():
        recipe = trainings().watch(name)["recipe"].to_toml()
        code = f'import kcnn\n\nrun = kcnn.load_run({str(run)!r})\nrun.predict("picture.png", top={top})'
        three_ways(code, recipe, f"kcnn predict {shlex.quote(str(run))} picture.png --top {top}")


def answers(pictures, found, threshold, run):
    """Each picture with its answers; below the threshold the answer is said to be unsure. `run`: draw its heat, too."""
    columns = st.columns(min(max(len(pictures), 3), 4))
    for place, (name, content), answer in zip(columns * len(pictures), pictures, found, strict=False):
        with place.container(border=True):
            if answer.get("error"):
                st.error(plain(f"{name}: {answer['error']}"), icon=":material/error:")
                continue
            files = answer.get("files", {})
            st.image(files.get("overlay", files.get("drawing", content)), caption=plain(name), width="stretch")
            sure, label = answer["score"] >= threshold, plain(answer["label"])
            if not label:
                st.markdown("nothing found")
            else:
                st.markdown(f"**{label}** {score(answer['score'])}" if sure else f"unsure: {label}?")
            for label, share in answer["top"]:
                st.progress(share, text=f"{plain(label)}: {share:.1%}{' of the picture' if 'mask' in files else ''}")
            row = st.container(horizontal=True)
            for kind, file in files.items():
                way = {"icon": ":material/download:", "type": "tertiary", "key": file}
                row.download_button(kind, Path(file).read_bytes(), Path(file).name, **way)
            if run:
                file = scratch("heat", run, content) / "heat.png"
                if ask("run.explain", run, content, path=str(file), file=file, waiting="Explaining") is not None:
                    st.image(file)


page()
