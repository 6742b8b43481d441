"""What report.md says of one split: functions from its figures and {plot: its Markdown} to paragraphs."""

from kcnn.evaluation.markdown import name, number, plain, span, table
from kcnn.evaluation.verdicts import verdicts

TITLES = {
    "confusion": "Confusion matrix",
    "pairs": "Most confused pairs",
    "classes": "F1 of each class",
    "ranking": "Precision, recall and ROC",
    "calibration": "Calibration",
    "slices": "Accuracy of slices",
    "worst": "Worst mistakes",
}
READING = (
    "A 95 % interval says what else this model might have scored on as many other pictures of the same kind; it does "
    "not say how another training would fare. Shares of pictures have Wilson's interval, F1 of a class the one that "
    "follows from it, all other figures a bootstrap over the pictures. Areas compare one class with all others and are "
    "means over classes. The calibration error (ECE) is the mean distance between score and share of right answers "
    "over 15 bins of equal width. Brightness is the mean grey level of the picture as the network sees it."
)
MOST_CLASSES = 60


def headline(figures):
    """What is said of the score: how many samples are wrong."""
    count = f"{figures['mistakes']} of {figures['samples']} samples"
    return f"{count} {'have a wrong label' if figures['multi_label'] else 'are wrong'}"


def remarks(split, figures):
    """The lines below the headline."""
    return verdicts(split, figures)


def paragraphs(split, figures, picture):
    """All that the page says of a split: confusion, classes, ranking, calibration, thresholds, slices, mistakes."""
    parts = confusion(figures, picture) + classes(figures, picture) + ranking(figures, picture)
    parts += calibration(split, figures, picture) + thresholds(split, figures)
    return parts + slices(figures, picture) + mistakes(figures, picture)


def confusion(figures, picture):
    pairs, several = figures.get("most_confused"), figures["multi_label"]
    if pairs is None:
        return []
    heading = "### Which label is given in place of which" if several else "### Which class is taken for which"
    parts = [heading, picture.get("confusion"), picture.get("pairs")]
    if not pairs:
        return [
            *parts,
            f"No sample is {'given one label in place of another' if several else 'taken for another class'}.",
        ]
    rows = [(p["true"], p["predicted"], str(p["count"]), f"{p['share']:.1%}", _example(p)) for p in pairs]
    head = ("missing label", "given instead") if several else ("true", "taken for")
    return [*parts, table((*head, "samples", "of that class", "such as"), rows)]


def _example(pair):
    return pair["example"]["name"] if pair.get("example") else ""


def classes(figures, picture):
    """The classes, the weakest first where there are more than a page holds."""
    rows = figures["per_class"]
    if len(rows) > MOST_CLASSES:
        rows = sorted(rows, key=lambda row: -1 if row["f1"] is None else row["f1"])[:MOST_CLASSES]
    head, cells = ["class", "samples"], [[row["name"], str(row["support"])] for row in rows]
    for key in ("precision", "recall", "f1"):
        head += [key.replace("f1", "F1"), "95 %"]
        for line, row in zip(cells, rows, strict=True):
            line += [number(key, row[key]), span(key, (row.get("intervals") or {}).get(key))]
    left = len(figures["per_class"]) - len(rows)
    more = f"The {len(rows)} weakest classes; {left} more are in metrics.json." if left else None
    return ["### Classes", picture.get("classes"), more, table(head, cells)]


def ranking(figures, picture):
    if not figures.get("ranking"):
        return []
    rows = [(row["name"], *(number(key, row[key]) for key in ("average_precision", "roc_auc")))
            for row in figures["ranking"]["classes"]]  # fmt: skip
    mean = ("mean of all classes", *(number(key, figures[key]) for key in ("mean_average_precision", "roc_auc")))
    head = ("class, the worst first", "precision-recall area", "ROC area")
    return ["### Scores as a ranking", picture.get("ranking"), table(head, [mean, *rows])]


def calibration(split, figures, picture):
    found = figures.get("calibration")
    if not found or found["ece"] is None:
        return []
    rows = [("as trained", f"{found['ece']:.4f}", number("log_loss", figures["log_loss"]))]
    note, own = None, split == found.get("fitted_on")
    if found.get("temperature") is not None:
        after = f"logits divided by {found['temperature']:.4g}"
        rows.append((after, f"{found['ece_after']:.4f}", number("log_loss", found["log_loss_after"])))
        where = "this very split, so the numbers with it are too kind" if own else plain(found["fitted_on"])
        note = (
            f"The temperature {found['temperature']:.4g} was fitted on {where}; it changes no predicted class. Answers "
            "and exports of the run use it; all other figures here are of the scores as trained."
        )
    return ["### Calibration", picture.get("calibration"), table(("scores", "ECE", "log loss"), rows), note]


def thresholds(split, figures):
    """From which score on each label is said to be there."""
    found = figures.get("thresholds")
    if not found:
        return []
    f1 = [row["f1"] for row in figures["per_class"]]
    each = zip(figures["per_class"], found["values"], f1, found["f1"], strict=True)
    rows = [(row["name"], f"{least:.3f}", number("f1", usual), number("f1", own)) for row, least, usual, own in each]
    rows = [("mean", "", number("f1", figures["macro_f1"]), number("f1", found["macro_f1"])), *rows[:MOST_CLASSES]]
    where = "this very split, so the numbers with them are too kind" if split == found["fitted_on"] else "val"
    note = f"Thresholds were chosen on {where}: each is where its label's F1 is best. Answers and exports use them."
    return ["### Thresholds", table(("label", "from a score of", "F1 from 0.5", "F1"), rows), note]


def slices(figures, picture):
    rows = figures.get("slices")
    if not rows:
        return []
    marks = [("few samples" if row["small"] else "**weak**" if row["weak"] else "") for row in rows]
    cells = [
        (row["by"], row["value"], str(row["samples"]), number("accuracy", row["accuracy"]),
         span("accuracy", row["interval"]), mark.strip("*"))
        for row, mark in zip(rows, marks, strict=True)
    ]  # fmt: skip
    head = ("by", "slice", "samples", name("accuracy").lower(), "95 % interval", "")
    note = "Weak: the whole interval lies below that of all other samples. Few samples: fewer than 10."
    return ["### Slices", picture.get("slices"), table(head, cells), note]


def mistakes(figures, picture):
    if not figures["worst"]:
        return []
    rows = [(w["name"], w["true"], w["predicted"], f"{w['score']:.1%}", f"{w['loss']:.2f}") for w in figures["worst"]]
    head = ("sample", "true", "predicted", "score", "loss")
    return ["### Worst mistakes", picture.get("worst"), table(head, rows)]
