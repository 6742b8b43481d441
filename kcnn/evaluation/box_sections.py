"""What report.md says of one split of boxes: from its figures and {plot: its Markdown} to paragraphs."""

from kcnn.evaluation.markdown import number, plain, table
from kcnn.evaluation.mask_sections import KINDS, MOST_CLASSES, MOST_PAIRS
from kcnn.evaluation.verdicts import used

TITLES = {
    "classes": "Average precision of each class",
    "curve": "Precision over recall",
    "confusion": "Confusion matrix with the background",
    "best": "The best pictures",
    "typical": "Typical pictures",
    "worst": "The worst pictures",
}
READING = (
    "An answer is right if its box overlaps a true box of its class, which no better answer has found, by an IoU "
    "(intersection over union) of the threshold or more. Average precision is the mean of the precision over 101 steps "
    "of recall, as the answers are taken in by falling score; mAP is its mean over classes, and over ten thresholds "
    "from 0.5 to 0.95 (COCO), mAP50 that at 0.5 alone. Small objects are below 32², large ones above 96² pixels of "
    "their picture. At most 100 answers a picture count, and crowds count for nothing. The F1 of a picture is that of "
    "its answers from the threshold on, at an IoU of 0.5. No intervals are given: mAP is of the split as a whole."
)


def headline(figures):
    """What is said of the score: how many pictures and objects it is of."""
    return f"over {figures['samples']} pictures with {figures['objects']:,} objects"


def paragraphs(split, figures, picture):
    """All that the page says of a split."""
    return classes(figures, picture) + confusion(figures, picture) + examples(figures, picture)


def classes(figures, picture):
    """The classes, the weakest first, those without objects last; and the curve of their mean."""
    rows = sorted(figures["per_class"], key=lambda row: 2 if row["map"] is None else row["map"])[:MOST_CLASSES]
    cells = [
        [row["name"], *(number(key, row[key]) for key in ("map", "map50", "recall")), f"{row['objects']:,}"]
        for row in rows
    ]
    left = len(figures["per_class"]) - len(rows)
    more = f"The {len(rows)} weakest classes; {left} more are in metrics.json." if left else None
    head = ["class", "mAP", "mAP50", "recall at IoU 0.5", "objects"]
    return ["### Classes", picture.get("classes"), more, table(head, cells), picture.get("curve")]


def confusion(figures, picture):
    """Which class is taken for which, or for nothing, and what is seen where nothing is."""
    names = [row["name"] for row in figures["per_class"]] + ["background"]
    pairs = [
        (count, true, said)
        for true, row in zip(names, figures["confusion"], strict=True)
        for said, count in zip(names, row, strict=True)
        if said != true and count
    ]
    words = f"Of answers from the threshold {figures['threshold']['score']:.3f} on, at an IoU of 0.5."
    heading = ["### Which class is taken for which", words, picture.get("confusion")]
    if not pairs:
        return [*heading, "No object is missed or taken for another, and nothing is seen where nothing is."]
    rows = [(true, said, f"{count:,}") for count, true, said in sorted(pairs, key=lambda row: -row[0])]
    return [*heading, table(("true", "taken for", "count"), rows[:MOST_PAIRS])]


def examples(figures, picture):
    """The pictures to look at, with their F1."""
    parts = []
    for kind, words in KINDS.items():
        rows = [(row["name"], f"{row['f1']:.4f}") for row in figures["shown"][kind]]
        if rows:
            parts += [f"### {words}", picture.get(kind), table(("picture", "F1"), rows)]
    return parts


def remarks(split, figures):
    """The lines below the headline: from which score on to believe an answer, classes never found, earlier uses."""
    found = figures["threshold"]
    words = (
        f"Answers from a score of {found['score']:.3f} on have the best mean F1 of classes, {found['f1']:.3f}: "
        f"precision {found['precision']:.3f}, recall {found['recall']:.3f}."
    )
    lost = [plain(row["name"]) for row in figures["per_class"] if row["objects"] and not row["recall"]]
    never = (
        f"**Never found: {', '.join(lost[:5])}{f' and {len(lost) - 5} more' if len(lost) > 5 else ''}.**"
        if lost
        else ""
    )
    return [line for line in (words, never, used(split, figures)) if line]
