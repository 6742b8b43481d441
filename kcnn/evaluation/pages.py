"""The words and tables of report.md: a pure function of what metrics.json says."""

NAMES = {
    "accuracy": "Accuracy",
    "top5": "Top-5 accuracy",
    "exact_match": "All labels right",
    "mean_average_precision": "Mean average precision",
    "macro_f1": "Mean F1 over classes",
    "log_loss": "Log loss",
}
FRACTIONS = {"accuracy", "top5", "exact_match"}


def page(metrics):
    """report.md as text: headline, facts, curves, then each split with its tables and plots."""
    parts = [f"# {plain(metrics['title'])}", _headline(metrics)]
    if metrics["details"]:
        rows = [(key, _value(value)) for key, value in metrics["details"].items()]
        parts.append(_table(("run", "value"), rows))
    parts += _notes(metrics) + _learning(metrics)
    for split, figures in metrics["splits"].items():
        parts += _split(split, figures, metrics["figures"].get(split, {}))
    return "\n\n".join(part for part in parts if part) + "\n"


def plain(text):
    """`text` on one line, with the characters that mean something in Markdown or HTML made literal."""
    escaped = "".join("\\" + c if c in "\\`*_[]<>|#$~" else c for c in str(text))
    return " ".join(escaped.replace("&", "&amp;").split())


def _headline(metrics):
    """The score of the most trustworthy split first: test if it was scored, else val, else whatever there is."""
    splits = metrics["splits"]
    if not splits:
        return "No split has been scored yet."
    split = next((name for name in ("test", "val") if name in splits), next(iter(splits)))
    score, figures = _figure(metrics["metric"], splits[split].get(metrics["metric"])), splits[split]
    words = f"**{score} {_name(metrics['metric']).lower()} on {plain(split)}**"
    return f"{words}: {figures['mistakes']} of {figures['samples']} samples are wrong." + (
        " The validation split also chose the weights, so a new picture may fare a little worse."
        if split == "val"
        else ""
    )


def _notes(metrics):
    lines = [f"- {plain(note)}" for note in metrics["notes"]]
    if metrics["set_aside"]:
        lines.append(f"- files that could not be used and were set aside: {len(metrics['set_aside'])}")
        lines += [f"  - {plain(name)}: {plain(reason)}" for name, reason in metrics["set_aside"][:20]]
        if len(metrics["set_aside"]) > 20:
            lines.append(f"  - and {len(metrics['set_aside']) - 20} more, listed in metrics.json")
    return ["## Notes", "\n".join(lines)] if lines else []


def _learning(metrics):
    """The curves, with the last and the best epoch's numbers beside them."""
    history = metrics["history"]
    if "curves" not in metrics["figures"]:
        return []
    epochs = history.get("epoch") or list(range(1, len(next(iter(history.values()))) + 1))
    rows = []
    for key in ("loss", metrics["metric"]):
        for column, who in ((key, "training"), (f"val_{key}", "validation")):
            known = [(v, e) for v, e in zip(history.get(column, []), epochs, strict=False) if v is not None]
            if known:
                best, when = _best(known, lowest=key == "loss")
                rows.append((f"{_name(key)}, {who}", f"{known[-1][0]:.4f}", f"{best:.4f}", f"{when:g}"))
    return [
        "## Learning",
        "![Loss, metric and learning rate over epochs](curves.png)",
        _table(("figure", "last epoch", "best", "in epoch"), rows),
    ]


def _best(known, lowest):
    """The (value, epoch) with the lowest or highest value, the first of equals."""
    return min(known, key=lambda pair: pair[0] if lowest else -pair[0])


def _split(split, figures, drawn):
    rows = [(label, _figure(key, figures[key])) for key, label in NAMES.items() if key in figures]
    parts = [f"## Scores on {plain(split)}", _table(("figure", "value"), [("Samples", str(figures["samples"])), *rows])]
    if "most_confused" in figures:
        parts.append("### Which class is taken for which")
        parts += [f"![Confusion matrix of {plain(split)}]({drawn['confusion']})"] if "confusion" in drawn else []
        parts.append(_confused(figures["most_confused"]))
    parts += ["### Classes", f"![F1 of each class on {plain(split)}]({drawn['classes']})"] if "classes" in drawn else []
    parts.append(_classes(figures["per_class"]))
    if figures["worst"]:
        parts.append("### Worst mistakes")
        parts += [f"![Worst mistakes on {plain(split)}]({drawn['worst']})"] if "worst" in drawn else []
        parts.append(
            _table(
                ("sample", "true", "predicted", "score", "loss"),
                [
                    (w["name"], w["true"], w["predicted"], f"{w['score']:.1%}", f"{w['loss']:.2f}")
                    for w in figures["worst"]
                ],
            )
        )
    return parts


def _classes(per_class):
    keys = [key for key in ("precision", "recall", "f1", "average_precision") if key in per_class[0]]
    rows = [(row["name"], *(_figure(key, row[key]) for key in keys), str(row["support"])) for row in per_class]
    return _table(("class", *(key.replace("_", " ") for key in keys), "samples"), rows)


def _confused(pairs):
    if not pairs:
        return "No sample is mistaken for another class."
    return _table(
        ("true", "taken for", "samples", "of that class"),
        [(p["true"], p["predicted"], str(p["count"]), f"{p['share']:.1%}") for p in pairs],
    )


def _table(head, rows):
    """A Markdown table; all columns but the first are numbers or short words."""
    lines = [head, ["---"] * len(head), *([plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _figure(key, value):
    if value is None:
        return "not defined"
    return f"{value:.2%}" if key in FRACTIONS else f"{value:.4f}"


def _name(key):
    return NAMES.get(key, key.replace("_", " ").capitalize())


def _value(value):
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
