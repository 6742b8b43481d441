"""The model card of a run: what it is, what it was made of, how good it is and where its limits are.

Mitchell et al. 2019, Model cards for model reporting. All is taken from the run's own files.
"""

import json

import numpy as np

from kcnn import evaluation
from kcnn.disk import read_json, write_atomically
from kcnn.evaluation import markdown as md

FEW = 30  # samples or objects of a class, below which its figures say little
WEAKEST = 3  # classes that are named


def write_card(record):
    """Write report/card.json and report/card.md of a `Record` that has a report; returns the path of the second."""
    found = card(record)
    folder = record.report.parent
    write_atomically(folder / "card.json", json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    write_atomically(folder / "card.md", page(found))
    return folder / "card.md"


def card(record):
    """The card as a dict that JSON can hold."""
    facts, recipe, report = record.facts, record.recipe, read_json(record.report.parent / "metrics.json")
    splits, environment = report["splits"], record.folder.environment()
    return {
        "name": record.name,
        "model": {
            "task": record.task,
            "architecture": recipe.model.architecture,
            "head": recipe.model.head,
            "parameters": report["details"].get("parameters"),
            "input": list(facts.input_shape),
            "framing": facts.framing,
            "classes": record.class_names,
            "weights_from": recipe.model.weights,
        },
        "data": {
            "source": str(recipe.data.source),
            "format": facts.format,
            "fingerprint": facts.fingerprint,
            "pictures": facts.split_sizes,
            "of_each_class": dict(zip(facts.class_names, facts.class_counts, strict=False)),
            "set_aside": len(facts.set_aside),
        },
        "training": {
            "recipe": recipe.to_toml(),
            "epochs": len(record.history),
            "seed": recipe.runtime.seed,
            "cpu_seconds": environment.get("cpu_seconds"),
            "versions": {"python": environment.get("python"), **environment.get("packages", {})},
        },
        "scores": {split: _scores(figures) for split, figures in splits.items()},
        "chosen_on_validation": _chosen(splits),
        "limits": list(_limits(record, splits, report.get("robustness"))),
        "pictures": report["figures"],
        "exports": read_json(record.folder.exports / "parity.json"),
    }


def _scores(figures):
    """{figure: {"value", "interval"}} of what a report shows of a split."""
    known = [key for key in md.NAMES if figures.get(key) is not None]
    return {key: {"value": figures[key], "interval": figures.get("intervals", {}).get(key)} for key in known}


def _chosen(splits):
    """{what: value} of what answers take from the validation split."""
    figures = splits.get("val", {})
    found = {
        "margin of class 0": figures.get("margin", {}).get("value"),
        "least score": figures.get("threshold", {}).get("score"),
        "temperature": figures.get("calibration", {}).get("temperature"),
        "thresholds": figures.get("thresholds", {}).get("values"),
    }
    return {what: np.round(value, 4).tolist() for what, value in found.items() if value is not None}


def _limits(record, splits, robustness):
    """Sentences on what the scores do not say; `robustness` as `kcnn.robustness.measure` gives it, or None."""
    seen = record.facts.split_sizes.get("train", 0)
    yield f"It has seen {seen} samples of {record.facts.format}; of pictures of other kinds its scores say nothing."
    if "test" not in splits:
        yield "No test split was scored: the figures of val, on which its weights were chosen, are too kind."
    for split, figures in splits.items():
        if figures.get("uses") and figures["uses"] > 1:
            yield f"The split {split} was used {figures['uses']} times: its figures are no longer those of unseen data."
    split, figures = next((s, splits[s]) for s in ("test", "val", *splits) if s in splits)
    rows = [row for row in figures["per_class"] if _quality(row)[1] is not None]
    for row in sorted(rows, key=lambda row: _quality(row)[1])[:WEAKEST]:
        key, value = _quality(row)
        yield f"Class {row['name']}: {key} {value:.3f} on {split}."
    few = [row["name"] for row in figures["per_class"] if row.get("support", row.get("objects", FEW)) < FEW]
    if few:
        yield f"Fewer than {FEW} of {', '.join(few[:12])} are in {split}: their figures are uncertain."
    for row in figures.get("slices") or ():
        if row["weak"] and not row["small"]:
            yield f"It is weaker where {row['by']} is {row['value']}: accuracy {row['accuracy']:.1%}."
    calibration = figures.get("calibration") or {}
    if (ece := calibration.get("ece_after", calibration.get("ece"))) is not None:
        yield f"The scores of its answers are off by {ece:.1%} on average (ECE on {split})."
    if robustness is None:
        yield "How it fares on corrupted pictures was not measured."
    else:
        yield next(evaluation.robustness_summary(robustness))


def _quality(row):
    """(name, value) of the figure that a row of "per_class" is judged by."""
    key = next(key for key in ("f1", "iou", "ap", "map") if key in row)
    return {"f1": "F1", "iou": "IoU"}.get(key, "AP"), row[key]


def page(found):
    """The card as Markdown, to be read in the folder report/."""
    model, data, training = found["model"], found["data"], found["training"]
    facts = [
        ("task", f"{model['task']}, by the head {model['head']}"),
        ("architecture", model["architecture"]),
        ("parameters", model["parameters"]),
        ("input", "×".join(map(str, model["input"])) + f", framed by {model['framing']}"),
        ("classes", ", ".join(model["classes"])),
        ("weights it began with", model["weights_from"] or "none: from scratch"),
        *(found["chosen_on_validation"] and [("chosen on val", _listed(found["chosen_on_validation"]))]),
    ]
    sources = [
        ("source", data["source"]),
        ("kind", data["format"]),
        ("samples", _listed(data["pictures"])),
        ("in training, of each class", _listed(data["of_each_class"])),
        ("set aside as unfit", data["set_aside"]),
        ("fingerprint (SHA-256)", data["fingerprint"]),
    ]
    made = [
        ("epochs", training["epochs"]),
        ("seed", training["seed"]),
        ("CPU minutes", round((training["cpu_seconds"] or 0) / 60, 1)),
        ("versions", _listed(training["versions"])),
    ]
    parts = [f"# Model card: {md.plain(found['name'])}", md.table(("what", "value"), facts)]
    parts += ["## How good it is", _score_table(found["scores"]), *_gallery(found["pictures"])]
    parts += ["## Its limits", "\n".join(f"- {md.plain(line)}" for line in found["limits"])]
    if model["weights_from"]:
        parts[-1] += "\n- The weights that it began with have a licence of their own, which kcnn does not know."
    parts += ["## What it has learned from", md.table(("what", "value"), sources)]
    parts += ["## How it was trained", md.table(("what", "value"), made), f"```toml\n{training['recipe'].strip()}\n```"]
    if found["exports"]:
        parts += evaluation.exports_section(found["exports"])
    return "\n\n".join(parts) + "\n"


def _score_table(scores):
    """A row for each figure, two columns for each split."""
    keys = [key for key in md.NAMES if any(key in row for row in scores.values())]
    head = ["figure"]
    for split in scores:
        head += [split, "95 % interval"]
    rows = []
    for key in keys:
        row = [md.name(key)]
        for figures in scores.values():
            known = figures.get(key, {"value": None, "interval": None})
            row += [md.number(key, known["value"]), md.span(key, known["interval"])]
        rows.append(row)
    return md.table(head, rows)


def _gallery(figures):
    """Markdown of the pictures of failures and of calibration that the report has."""
    shown = {"worst": "The worst answers", "pairs": "What is taken for what", "calibration": "Calibration"}
    for split, files in figures.items():
        if isinstance(files, dict):
            yield from (f"![{title}, {md.plain(split)}]({files[key]})" for key, title in shown.items() if key in files)


def _listed(values):
    return ", ".join(f"{key} {value}" for key, value in values.items())
