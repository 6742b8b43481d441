"""report.md: a pure function of what metrics.json says. The summary first, then the run, its learning, each split."""

from kcnn.evaluation import box_sections, exports, mask_sections, robustness, sections
from kcnn.evaluation.markdown import NAMES, name, number, plain, short_name, span, table

FIRST = ("test", "val")
TASKS = {"boxes": box_sections, "labels": sections, "masks": mask_sections}


def page(metrics):
    """The whole page as text."""
    splits = dict(sorted(metrics["splits"].items(), key=lambda pair: FIRST.index(pair[0]) if pair[0] in FIRST else 2))
    parts = [f"# {plain(metrics['title'])}", *_summary(metrics, splits)]
    if metrics["details"]:
        rows = [(key, _value(value)) for key, value in metrics["details"].items()]
        parts += ["## The run", table(("what", "value"), rows)]
    parts += _notes(metrics) + _learning(metrics)
    for split, figures in splits.items():
        parts += _split(split, figures, metrics["figures"].get(split, {}))
    parts += robustness.section(metrics.get("robustness"), metrics["figures"].get("robustness", {}))
    parts += exports.section(metrics.get("exports"))
    reading = dict.fromkeys(of_task(figures).READING for figures in splits.values())
    parts += ["## How to read this page", *reading] if splits else []
    return "\n\n".join(part for part in parts if part) + "\n"


def of_task(figures):
    """What is written of a split, by what its figures are of."""
    return TASKS[figures.get("task", "labels")]


def _summary(metrics, splits):
    """The score of the most trustworthy split: test if it was scored, else val, else any; then what to make of it."""
    if not splits:
        return ["No split has been scored yet."]
    split, figures = next(iter(splits.items()))
    key = metrics["metric"]
    score = f"**{number(key, figures.get(key))} {short_name(key)[0].lower()}{short_name(key)[1:]} on {plain(split)}**"
    bounds = figures.get("intervals", {}).get(key)
    words = f"{score} (95 % interval {span(key, bounds)})" if bounds else score
    headline = f"{words}: {of_task(figures).headline(figures)}."
    if split == "val":
        headline += " The validation split also chose the weights, so a new picture may fare a little worse."
    remarks = of_task(figures).remarks(split, figures)
    return [headline, "\n".join(f"- {remark}" for remark in remarks), _side_by_side(splits)]


def _side_by_side(splits):
    """All figures of all splits in one table."""
    keys = [key for key in NAMES if any(figures.get(key) is not None for figures in splits.values())]
    head = ["figure", *(cell for split in splits for cell in (plain(split), "95 % interval"))]
    rows = [["Samples", *(cell for figures in splits.values() for cell in (str(figures["samples"]), ""))]]
    for key in keys:
        pairs = ((f.get(key), f.get("intervals", {}).get(key)) for f in splits.values())
        rows.append([name(key), *(cell for value, ends in pairs for cell in (number(key, value), span(key, ends)))])
    return table(head, rows)


def _notes(metrics):
    lines = [f"- {plain(note)}" for note in metrics["notes"]]
    if metrics["set_aside"]:
        lines.append(f"- files that could not be used and were set aside: {len(metrics['set_aside'])}")
        lines += [f"  - {plain(file)}: {plain(reason)}" for file, reason in metrics["set_aside"][:20]]
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
                rows.append((f"{name(key)}, {who}", f"{known[-1][0]:.4f}", f"{best:.4f}", f"{when:g}"))
    return [
        "## Learning",
        "![Loss, metric and learning rate over epochs](curves.png)",
        table(("figure", "last epoch", "best", "in epoch"), rows),
    ]


def _best(known, lowest):
    """The (value, epoch) with the lowest or highest value, the first of equals."""
    return min(known, key=lambda pair: pair[0] if lowest else -pair[0])


def _split(split, figures, drawn):
    """One split: what its task has to say, each plot with its numbers below."""
    task = of_task(figures)
    titles = ((key, words) for key, words in task.TITLES.items() if key in drawn)
    picture = {key: f"![{words} on {plain(split)}]({drawn[key]})" for key, words in titles}
    return [f"## Scores on {plain(split)}", *task.paragraphs(split, figures, picture)]


def _value(value):
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
