"""Export: a run's model for other programs, each format proved against the model, with its size and speed."""

import io
import json
import shlex
import time
import zipfile
from pathlib import Path

import pandas
import streamlit as st

from app_widgets.asking import ask, names
from app_widgets.places import runs, trainings
from app_widgets.runs import pick
from app_widgets.words import code, empty, three_ways, told

MEBIBYTE = 2**20


def page():
    st.title("Export")
    name = pick(trained=True)
    formats = names("export formats")
    if name is None or not formats:
        return
    run = runs() / name
    chosen = st.selectbox("Format", list(formats), format_func=lambda format: f"{format}: {formats[format]}")
    if st.button("Write and prove it", type="primary", icon=":material/output:"):
        path = ask(
            "run.export", str(run), chosen, waiting=f"Writing {chosen} and asking it the same", stamp=time.time_ns()
        )
        if path:
            st.success(f"{code(path)} answers as the model does.", icon=":material/check:")
    written(run)
    with told():
        text = f"import kcnn\n\nrun = kcnn.load_run({str(run)!r})\nrun.export({chosen!r})"
        command = f"kcnn export {shlex.quote(str(run))} --format {chosen}"
        three_ways(text, trainings().watch(name)["recipe"].to_toml(), command)


def written(run):
    """The exports that are there: how well they agree, how large and how fast they are, and the files."""
    file = run / "exports" / "parity.json"
    parity = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    parity = {format: row for format, row in parity.items() if _is_whole(row, file.parent)}
    if not parity:
        empty("Nothing is exported yet.", "Choose a format above.")
        return
    rows = [
        {
            "format": format, "pictures": row["pictures"], "largest difference": f"{row['score_difference']:.1g}",
            "same answers": f"{row['labels_agree']:.1%}", "MiB": row["bytes"] / MEBIBYTE,
            "score": row.get("score"), "model's score": row.get("model_score"),
            **{f"ms for {count}": ms["p50"] for count, ms in row["milliseconds"].items()},
            **{f"× model, {count}": ms["model"] / ms["p50"] for count, ms in row["milliseconds"].items()},
        }
        for format, row in parity.items()
    ]  # fmt: skip
    digits = {"ms": "%.1f", "MiB": "%.1f", "×": "%.2f", "score": "%.4f", "model's": "%.4f"}
    columns = {name: st.column_config.NumberColumn(format=digits[name.split(" ")[0]]) for name in rows[0]
               if name.split(" ")[0] in digits}  # fmt: skip
    st.dataframe(pandas.DataFrame(rows), hide_index=True, column_config=columns)
    for format, row in parity.items():
        path = file.parent / Path(row["file"]).name
        name = f"{run.name}-{path.stem}.zip" if path.is_dir() else f"{run.name}-{path.name}"
        st.download_button(f"Download {format}", packed(path), name, icon=":material/download:")


def _is_whole(row, folder):
    """Whether an export is there with all its figures, as those of earlier versions are not."""
    times = row.get("milliseconds", {}).values()
    return bool(times) and all(isinstance(ms, dict) for ms in times) and (folder / Path(row["file"]).name).exists()


@st.cache_data(max_entries=4, show_spinner="Packing")
def _packed(path, stamp):
    path = Path(path)
    if path.is_file():
        return path.read_bytes()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path.rglob("*")):
            if file.is_file():
                archive.write(file, Path(path.name) / file.relative_to(path))
    return content.getvalue()


def packed(path):
    """The file at `path`, or a zip archive of the folder."""
    return _packed(str(path), path.stat().st_mtime)


page()
