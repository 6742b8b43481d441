"""Runs side by side: where their recipes differ, their figures, and the difference on the same pictures."""

import pandas
import streamlit as st

from app_widgets.words import plain


def comparison(found):
    """What `kcnn.compare` found."""
    names = [run["name"] for run in found["runs"]]
    st.markdown("**Where the recipes differ**")
    if found["recipe"]:
        rows = {key: [str(value) for value in values] for key, values in found["recipe"].items()}
        st.dataframe(pandas.DataFrame.from_dict(rows, orient="index", columns=names))
    else:
        st.caption("nowhere")
    for split, rows in found["differences"].items():
        st.markdown(f"**Scores on {plain(split)}**, with 95 % intervals")
        columns = {run["name"]: _figures(run["splits"].get(split)) for run in found["runs"]}
        st.dataframe(pandas.DataFrame(columns))
        for row in rows:
            _against(row, names[0])


def _figures(split):
    return {key: _cell(figure) for key, figure in split["figures"].items()} if split else {}


def _cell(figure):
    if figure["value"] is None:
        return "–"
    ends = figure["interval"]
    return f"{figure['value']:.4f}" + (f" ({ends[0]:.4f} to {ends[1]:.4f})" if ends else "")


def _against(row, first):
    """One run against the first on the pictures that both have answered."""
    st.markdown(f"{plain(row['run'])} against {plain(first)}")
    if "refused" in row:
        st.caption(plain(row["refused"]))
        return
    shown = {key: part for key, part in row.items() if isinstance(part, dict) and part["interval"]}
    table = {
        key: [f"{part['difference']:+.4f}", "{:+.4f} to {:+.4f}".format(*part["interval"]), part["verdict"]]
        for key, part in shown.items()
    }
    columns = ["difference", "95 % interval", f"{row['run']} is"]
    st.dataframe(pandas.DataFrame.from_dict(table, orient="index", columns=columns))
