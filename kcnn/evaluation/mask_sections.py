"""What report.md says of one split of masks: from its figures and {plot: its Markdown} to paragraphs."""

from kcnn.evaluation.markdown import number, plain, span, table
from kcnn.evaluation.verdicts import used

TITLES = {
    "classes": "IoU and Dice of each class",
    "confusion": "Confusion matrix",
    "best": "The best pictures",
    "typical": "Typical pictures",
    "worst": "The worst pictures",
}
READING = (
    "IoU (intersection over union, Jaccard) of a class is the number of places that truth and answer both give it, "
    "over those that either gives it, counted over all pictures together; Dice is twice the former over the sum of "
    "both masks. The means are over the classes that occur or are answered. Places that are not judged (value 255) "
    "count for nothing, and of each picture one frame is scored: its middle, unless data.framing is pad or stretch. "
    "Boundary F is the harmonic mean of the shares of true and of answered border places with a "
    "border of the same class within 0.0075 of the frame's diagonal (one place at least) in the other mask, a mean "
    "over pictures. The mean IoU of one picture is over the classes in it. A 95 % interval, from 200 resamples of the "
    "pictures, says what else this model might have scored on as many other pictures of the same kind; it does not "
    "say how another training would fare."
)
MOST_CLASSES, MOST_PAIRS = 60, 10
KINDS = {
    "best": "The best pictures",
    "typical": "Typical pictures: those nearest the median",
    "worst": "The worst pictures",
}


def headline(figures):
    """What is said of the score: how many pictures and places it is of, and with which margin."""
    said = f"over {figures['samples']} pictures with {figures['pixels']:,} judged places"
    margin = figures.get("margin", {"value": 0})
    if not margin["value"]:
        return said
    without = f", where it is {margin['without']:.4f} without" if "without" in margin else ""
    return f"{said}; class 0 wins by a margin of {margin['value']:+.2f} on its logit, chosen on val{without}"


def paragraphs(split, figures, picture):
    """All that the page says of a split."""
    return classes(figures, picture) + confusion(figures, picture) + examples(figures, picture)


def classes(figures, picture):
    """The classes, the weakest first; those that are not defined last."""
    rows = sorted(figures["per_class"], key=lambda row: 2 if row["iou"] is None else row["iou"])[:MOST_CLASSES]
    head = ["class", "IoU", "95 %", "Dice", "precision", "recall", "boundary F", "places", "pictures"]
    cells = [
        [row["name"], number("iou", row["iou"]), span("iou", row["intervals"]["iou"])]
        + [number(key, row[key]) for key in ("dice", "precision", "recall", "boundary_f")]
        + [f"{row['pixels']:,}", str(row["pictures"])]
        for row in rows
    ]
    left = len(figures["per_class"]) - len(rows)
    more = f"The {len(rows)} weakest classes; {left} more are in metrics.json." if left else None
    return ["### Classes", picture.get("classes"), more, table(head, cells)]


def confusion(figures, picture):
    """Which class's places are taken for which, the most of a class first."""
    counts, names = figures.get("confusion"), [row["name"] for row in figures["per_class"]]
    if not counts:
        return []
    pairs = [
        (count / total, count, true, said)
        for true, row, total in zip(names, counts, map(sum, counts), strict=True)
        for said, count in zip(names, row, strict=True) if said != true and count
    ]  # fmt: skip
    heading = ["### Which class is taken for which", picture.get("confusion")]
    if not pairs:
        return [*heading, "No place is taken for another class."]
    rows = [(true, said, f"{count:,}", f"{share:.1%}") for share, count, true, said in sorted(pairs, reverse=True)]
    return [*heading, table(("true", "taken for", "places", "of that class"), rows[:MOST_PAIRS])]


def examples(figures, picture):
    """The pictures to look at, with their mean IoU."""
    parts = []
    for kind, words in KINDS.items():
        rows = [(row["name"], f"{row['mean_iou']:.4f}") for row in figures["shown"][kind]]
        if rows:
            parts += [f"### {words}", picture.get(kind), table(("picture", "mean IoU"), rows)]
    return parts


def remarks(split, figures):
    """The lines below the headline: what no network would score, the classes not found, how often it was used."""
    return [line for line in (_without_a_network(figures), _never_found(figures), used(split, figures)) if line]


def _without_a_network(figures):
    rows = [row for row in figures["per_class"] if row["pixels"]]
    if not rows:
        return ""
    most = max(rows, key=lambda row: row["pixels"])
    share = most["pixels"] / sum(row["pixels"] for row in rows)
    words = f"Without a network: always answering {plain(most['name'])}, the commonest class here, has pixel accuracy "
    return f"{words}{number('pixel_accuracy', share)} and mean IoU {number('mean_iou', share / len(rows))}."


def _never_found(figures):
    lost = [plain(row["name"]) for row in figures["per_class"] if row["pixels"] and not row["recall"]]
    more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
    return f"**Never found: {', '.join(lost[:5])}{more}**: not one of their places is right." if lost else ""
