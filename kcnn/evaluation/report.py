"""The report of a run: `metrics.json`, the plots, and `report.md`, which is made from metrics.json alone."""

import json
import math
from pathlib import Path

from kcnn.disk import make_folder, read_json, write_atomically
from kcnn.evaluation import box_diagrams, diagrams, mask_diagrams, plots, robustness
from kcnn.evaluation.mistakes import pictured
from kcnn.evaluation.pages import page


def write_report(
    folder, splits, *, title, history=None, metric="accuracy", details=None, notes=(), set_aside=(), pictures=None
):
    """Write metrics.json, plots and report.md into `folder`, replacing an earlier report; returns report.md's path.

    splits: {split: the dict of `classification.measure`, or `figures` of a tally of masks or boxes}; history:
    history.csv's rows, one dict an epoch; details: {what: value}, the facts at the top of the page; set_aside: [(file,
    reason)]; pictures: {split: {"worst": images (n, ...) of that split's "worst" entries in their order, "pairs":
    (2m, ...) of its pictured pairs}}; either may be missing. Of masks and boxes: {split: what `shown_pictures` or
    `shown_boxes` gives of what is shown}.
    """
    folder = Path(folder)
    make_folder(folder)
    metrics = {
        "title": title,
        "metric": metric,
        "details": {str(key): value for key, value in (details or {}).items()},
        "notes": list(notes),
        "set_aside": [list(row) for row in set_aside],
        "history": _columns(history or []),
        "figures": {},
        "splits": {},
    }
    if metrics["history"]:
        metrics["figures"]["curves"] = "curves.png"
        plots.curves(metrics["history"], folder / "curves.png", metric)
    for split, figures in splits.items():
        _add(metrics, folder, split, figures, (pictures or {}).get(split))
    return _write(folder, metrics)


def add_split(folder, split, figures, images=None):
    """Add (or replace) one more `split` in the report in `folder`, with `images` as above; returns report.md's path."""
    folder = Path(folder)
    metrics = read_metrics(folder)
    _add(metrics, folder, split, figures, images)
    return _write(folder, metrics)


def add_robustness(folder, figures, examples):
    """Add (or replace) what `kcnn.robustness` gives, in the report in `folder`; returns report.md's path."""
    folder = Path(folder)
    metrics = read_metrics(folder) | {"robustness": figures}
    metrics["figures"]["robustness"] = {"robustness": "robustness.png", "corruptions": "corruptions.png"}
    robustness.curves(figures, folder / "robustness.png")
    robustness.gallery(examples, folder / "corruptions.png")
    return _write(folder, metrics)


def add_exports(folder, parity):
    """Put what {format: what parity.json says} into the report in `folder`; returns report.md's path."""
    return _write(Path(folder), read_metrics(folder) | {"exports": parity})


def read_metrics(folder):
    """What metrics.json in the report `folder` says, as a dict."""
    return read_json(Path(folder) / "metrics.json")


def rebuild(folder):
    """Make report.md in `folder` again from its metrics.json and nothing else; returns its path."""
    path = Path(folder) / "report.md"
    write_atomically(path, page(read_metrics(folder)))
    return path


def _add(metrics, folder, split, figures, images):
    """Put one split's figures into `metrics` and draw its plots; file names carry a number, not the split's name."""
    figures = json.loads(json.dumps(figures, allow_nan=False))
    metrics["splits"][split] = figures
    number, drawn = list(metrics["splits"]).index(split) + 1, {}

    def draw(key, plot, *content):
        drawn[key] = f"{number}-{key}.png"
        plot(*content, folder / drawn[key])

    {"boxes": _draw_boxes, "labels": _draw_labels, "masks": _draw_masks}[figures.get("task", "labels")](
        draw, figures, images or {}
    )
    metrics["figures"][split] = drawn


def _draw_labels(draw, figures, images):
    draw("classes", plots.class_dots, figures["per_class"])
    if figures.get("confusion"):
        draw("confusion", plots.confusion_matrix, figures["confusion"], _names(figures))
    if len(images.get("pairs", ())):
        draw("pairs", diagrams.pairs, pictured(figures["most_confused"]), images["pairs"])
    if figures.get("ranking"):
        draw("ranking", diagrams.ranking, figures["ranking"], figures)
    if (figures.get("calibration") or {}).get("bins"):
        draw("calibration", diagrams.reliability, figures["calibration"])
    if any(row["interval"] for row in figures.get("slices") or ()):
        draw("slices", diagrams.slices, figures["slices"], figures["accuracy"])
    if len(images.get("worst", ())):
        draw("worst", plots.gallery, figures["worst"], images["worst"])


def _draw_masks(draw, figures, images):
    draw("classes", mask_diagrams.class_shares, figures["per_class"])
    if figures["confusion"]:
        draw("confusion", mask_diagrams.confusion, figures["confusion"], _names(figures))
    _draw_shown(draw, mask_diagrams.examples, figures, images)


def _draw_boxes(draw, figures, images):
    draw("classes", box_diagrams.class_precision, figures["per_class"])
    draw("curve", box_diagrams.curve, figures["curve"], figures["threshold"])
    draw("confusion", plots.confusion_matrix, figures["confusion"], [*_names(figures), "background"])
    _draw_shown(draw, box_diagrams.examples, figures, images)


def _draw_shown(draw, plot, figures, images):
    """The best, the typical and the worst pictures, each kind by `plot`; `images` has them in this order."""
    start = 0
    for kind, rows in figures["shown"].items():
        part = {key: values[start : start + len(rows)] for key, values in images.items()}
        if part and rows:
            draw(kind, plot, rows, part, _names(figures))
        start += len(rows)


def _names(figures):
    return [row["name"] for row in figures["per_class"]]


def _columns(rows):
    """{column: [a number or None for each row]} of a list of dicts."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [_finite(row.get(name)) for row in rows] for name in names}


def _finite(value):
    """A number that JSON can hold: what is empty, NaN or infinite becomes None."""
    return float(value) if value not in (None, "") and math.isfinite(float(value)) else None


def _write(folder, metrics):
    write_atomically(folder / "metrics.json", json.dumps(metrics, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
    return rebuild(folder)
