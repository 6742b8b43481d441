"""Pieces of Markdown: text that cannot break the page, tables, numbers with their intervals."""

NAMES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy (mean recall of classes)",
    "top5": "Top-5 accuracy",
    "exact_match": "All labels right",
    "macro_f1": "Mean F1 over classes",
    "mean_average_precision": "Mean average precision (area under precision-recall)",
    "roc_auc": "Mean ROC area",
    "log_loss": "Log loss",
    "mean_iou": "Mean IoU (intersection over union, mean of classes)",
    "mean_dice": "Mean Dice (mean of classes)",
    "picture_iou": "IoU, mean of pictures",
    "pixel_accuracy": "Pixel accuracy",
    "boundary_f": "Boundary F (mean of classes)",
    "map": "mAP (mean average precision, IoU 0.5 to 0.95)",
    "map50": "mAP50 (IoU 0.5)",
    "map75": "mAP75 (IoU 0.75)",
    "map_small": "mAP of small objects",
    "map_medium": "mAP of medium objects",
    "map_large": "mAP of large objects",
    "recall_1": "Mean recall, 1 answer a picture",
    "recall_10": "Mean recall, 10 answers a picture",
    "recall_100": "Mean recall, 100 answers a picture",
    "recall_small": "Mean recall of small objects",
    "recall_medium": "Mean recall of medium objects",
    "recall_large": "Mean recall of large objects",
    "mask_map": "mAP of masks (IoU 0.5 to 0.95)",
    "mask_map50": "mAP50 of masks (IoU 0.5)",
    "mask_map75": "mAP75 of masks (IoU 0.75)",
}
FRACTIONS = {"accuracy", "balanced_accuracy", "top5", "exact_match", "pixel_accuracy"}


def plain(text):
    """`text` on one line, with the characters that mean something in Markdown or HTML made literal."""
    escaped = "".join("\\" + c if c in "\\`*_[]<>|#$~" else c for c in str(text))
    return " ".join(escaped.replace("&", "&amp;").split())


def table(head, rows):
    """A Markdown table; all columns but the first are numbers or short words."""
    lines = [head, ["---"] * len(head), *([plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(key, value):
    """The value of a figure as the page shows it: shares of samples in per cent, all else with four digits."""
    if value is None:
        return "not defined"
    return f"{value:.2%}" if key in FRACTIONS else f"{value:.4f}"


def span(key, interval):
    """An interval as the page shows it, "—" if there is none."""
    if interval is None:
        return "—"
    low, high = (number(key, end).removesuffix("%") for end in interval)
    return f"{low} to {high}{'%' if key in FRACTIONS else ''}"


def summary(figures):
    """The headline figures of a split as lines of text, with their intervals."""
    yield f"{figures['samples']} pictures"
    for key in NAMES:
        if figures.get(key) is not None:
            ends = figures["intervals"].get(key)
            yield f"{short_name(key):22s} {number(key, figures[key])}" + (f" ({span(key, ends)})" if ends else "")


def name(key):
    """What a figure is called, with an explanation in brackets where one helps."""
    return NAMES.get(key, key.replace("_", " ").capitalize())


def short_name(key):
    """What a figure is called."""
    return name(key).partition(" (")[0]
