"""Explain: where a run looks in a picture, how far that map can be trusted, and what the network sees inside."""

import shlex

import streamlit as st

from app_widgets.asking import ask, names
from app_widgets.places import runs, scratch, trainings
from app_widgets.runs import pick
from app_widgets.sheets import NAMED, legend, predicted, sees_pictures
from app_widgets.uploads import PICTURES, picture
from app_widgets.words import empty, plain, three_ways, told

SANITY = {
    "deletion": "score left while the hottest places are taken away: lower is better",
    "insertion": "score while they are put into a blurred picture: higher is better",
    "randomised": "likeness to the map of a network that has learned nothing: near 0 is good",
}


def page():
    st.title("Explain")
    name = pick(trained=True)
    if name is None:
        return
    run = str(runs() / name)
    if not sees_pictures(run):
        return
    upload = st.file_uploader("A picture", **PICTURES)
    method, level, target = st.columns(3)
    explainers = names("explainers")
    usual = ask("run.usual_explainer", run)
    method = method.selectbox("Method", list(explainers), index=list(explainers).index(usual) if usual else 0)
    levels = ask("run.levels", run, waiting="Opening the run") or []
    level = level.selectbox("Level", [None, *levels[::-1]], format_func=lambda name: name or "the usual one")
    classes = ask("run.class_names", run) or []
    usual = "the surest object" if ask("run.task", run) == "boxes" else "the predicted one"
    target = target.selectbox("Class", [None, *classes], format_func=lambda name: name or usual)
    st.caption(plain(explainers.get(method, "")))
    content = None
    if upload is not None:
        with told():
            content = picture(upload)
    if content is None:
        empty("No picture yet.", "Drop one above to see where the network looks; its first filters are below.")
    else:
        heat(run, content, {"method": method, "level": level, "target": target})
    inside(run, content, level)
    with told():
        given = {"method": method} | {key: value for key, value in (("level", level), ("target", target)) if value}
        code = f'import kcnn\n\nrun = kcnn.load_run({run!r})\nrun.explain("picture.png", path="why.png", **{given!r})'
        words = [f"--{key} {shlex.quote(value)}" for key, value in given.items()]
        toml = trainings().watch(name)["recipe"].to_toml()
        three_ways(code, toml, " ".join(["kcnn explain", shlex.quote(run), "picture.png", *words]))


def heat(run, content, options):
    """The heat map over the picture, and its sanity figures."""
    file = scratch("heat", run, content, options) / "heat.png"
    if ask("run.explain", run, content, path=str(file), file=file, waiting="Explaining", **options) is None:
        return
    if ask("run.task", run) in ("masks", "boxes"):
        shown, answered = st.columns([5, 2], vertical_alignment="center")
        shown.image(file)
        with answered:
            answered_with(run, content)
    else:
        st.image(file)
    if not st.toggle("How far can this map be trusted?"):
        return
    found = ask("run.explain_sanity", run, content, waiting="Taking the picture apart", **options)
    for column, (figure, meaning) in zip(st.columns(len(SANITY)), SANITY.items(), strict=True):
        value, chance = (found or {}).get(figure), (found or {}).get(f"{figure}_random")
        column.metric(figure, "–" if value is None else f"{value:.2f}")
        column.caption(meaning + ("" if chance is None else f"; a random map has {chance:.2f}"))


def answered_with(run, content):
    """What the segmenter or detector answers, over the picture, and its colours."""
    found = predicted(run, [content], top=NAMED)
    if found and not found[0].get("error"):
        files = found[0]["files"]
        st.image(files.get("overlay", files.get("drawing")), caption="what it answers", width="stretch")
        legend(run, [name for name, _ in found[0]["top"]])


def inside(run, content, level):
    """Every view that is registered: of the network, and with a picture of what it computes for that."""
    shown = [(view, None, None) for view in names("views")]
    shown += [(view, content, level) for view in names("views of a picture") if content is not None]
    lines, last = names("views") | names("views of a picture"), names("views that last")
    for tab, (view, *options) in zip(st.tabs([view for view, *_ in shown]), shown, strict=True):
        with tab:
            st.caption(plain(lines[view]))
            if view in last and not st.toggle("Make it: that takes a while", key=f"make {view}"):
                continue
            file = scratch("views", run, view, options) / "view.png"
            if ask("run.show", run, view, options[0], level=options[1], path=str(file), file=file, waiting="Drawing"):
                st.image(file)


page()
