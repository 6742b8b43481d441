"""The report's figures of boxes: average precision of each class, precision over recall, the pictures to look at."""

import numpy as np

from kcnn.evaluation.plots import MOST_BARS, dots, show
from kcnn.evaluation.theme import BLUE, GREY, ORANGE, new_figure, plain, save, shortened, styled
from kcnn.masks import IGNORE, colours

SIDE = 2.9  # inches of a picture's longer side
COLOURS = colours(IGNORE) / 255


@styled
def class_precision(per_class, path):
    """Each class's mAP and mAP50, weakest first, as a PNG; of more than 40 classes the 40 weakest."""
    rows = sorted((row for row in per_class if row["map"] is not None), key=lambda row: row["map"])
    shown = rows[:MOST_BARS]
    figure = new_figure(7, 1.3 + 0.26 * max(len(shown), 1))
    axes = figure.subplots()
    values = [(row["map"], None, f"{row['map']:.3f}") for row in shown]
    names = [shortened(row["name"], 28) for row in shown]
    dots(axes, range(len(shown)), names, values, [BLUE] * len(shown))
    half = [row["map50"] for row in shown]
    axes.plot(half, range(len(shown)), "o", color=ORANGE, markersize=5, markerfacecolor="white", zorder=1.9)
    axes.set_xlim(0, 1.02)
    axes.plot([], [], "o", color=BLUE, label="mAP; the number at the right")
    axes.plot([], [], "o", color=ORANGE, markerfacecolor="white", markersize=5, label="mAP50")
    if rows:
        mean = float(np.mean([row["map"] for row in rows]))
        axes.axvline(mean, color=GREY, linewidth=1.2, linestyle="--", zorder=1, label=f"mean mAP {mean:.3f}")
    axes.set_ylim(len(shown) - 0.4, -0.6)
    figure.legend(loc="outside upper left", ncols=3, fontsize=8, columnspacing=1.2)
    if len(rows) > len(shown):
        axes.set_xlabel(f"the {len(shown)} weakest of {len(rows)} classes")
    save(figure, path)


@styled
def curve(found, threshold, path):
    """Mean precision over recall at an IoU of 0.5 as a PNG, with the place of the best threshold."""
    figure = new_figure(4.6, 3.7)
    axes = figure.subplots()
    axes.plot(found["recall"], found["precision"], color=BLUE)
    if threshold["f1"]:
        label = f"answers from a score of {threshold['score']:.2f} on: F1 {threshold['f1']:.3f}"
        axes.plot(threshold["recall"], threshold["precision"], "o", color=ORANGE, markersize=7, label=label)
        figure.legend(loc="outside lower left", fontsize=9)
    axes.set(xlim=(0, 1.01), ylim=(0, 1.03), xlabel="recall", ylabel="precision", title="All classes, IoU 0.5")
    axes.grid(True)
    save(figure, path)


@styled
def examples(rows, pictures, class_names, path):
    """A row a picture as a PNG: the picture with its true boxes, and with those answered and their scores.

    rows: [{name, f1}]; pictures: {"picture": (n, H, W, C), "truth", "answer": [{"boxes", "classes"}]}.
    """
    height, width = pictures["picture"].shape[1:3]
    wide, high = SIDE * width / max(height, width), SIDE * height / max(height, width)
    figure = new_figure(2 * wide + 0.3, len(rows) * (high + 0.35) + 0.5)
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.04)
    grid, seen = figure.subplots(len(rows), 2, squeeze=False), set()
    for line, row, picture, truth, answer in zip(
        grid, rows, pictures["picture"], pictures["truth"], pictures["answer"], strict=True
    ):
        said = [shortened(row["name"], int(11 * wide)), f"answer, F1 {row['f1']:.3f}"]
        for axes, found, words in zip(line, (truth, answer), said, strict=True):
            show(axes, picture)
            seen |= draw_boxes(axes, found)
            axes.set_title(plain(words), fontsize=9, pad=3, fontweight="normal")
            axes.spines[:].set_visible(False)
    figure.legend(handles=_legend(sorted(seen), class_names), loc="outside lower left", ncols=4, fontsize=8,
                  handlelength=1.2, columnspacing=1.2)  # fmt: skip
    save(figure, path)


@styled
def sheet(names, pictures, found, class_names, path, columns=4):
    """Pictures (n, H, W, C) with boxes, `found` [{"boxes" (n, 4), "classes"}], and the classes' colours, as a PNG."""
    height, width = pictures.shape[1:3]
    columns = min(columns, len(names))
    rows = -(-len(names) // columns)
    wide, high = SIDE * width / max(height, width), SIDE * height / max(height, width)
    figure = new_figure(columns * wide, rows * (high + 0.25) + 0.6)
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.04)
    every, seen = figure.subplots(rows, columns, squeeze=False).ravel(), set()
    for axes, name, picture, own in zip(every, names, pictures, found, strict=False):
        show(axes, picture)
        seen |= draw_boxes(axes, own)
        axes.set_title(plain(shortened(name, int(11 * wide))), fontsize=9, pad=3, fontweight="normal")
    for axes in every:
        axes.spines[:].set_visible(False)
    for axes in every[len(names) :]:
        axes.set_visible(False)
    figure.legend(handles=_legend(sorted(seen), class_names), loc="outside lower left", ncols=2 * columns, fontsize=9,
                  handlelength=1.2)  # fmt: skip
    save(figure, path)


def draw_boxes(axes, found):
    """Draw {"boxes" (n, 4), "classes", "scores" or none} over what `axes` show; returns the classes drawn."""
    from matplotlib.patches import Rectangle

    scores = found.get("scores")
    for i, (box, kind) in enumerate(zip(found["boxes"] - 0.5, found["classes"], strict=True)):
        colour = colour_of(kind)
        size = box[2:] - box[:2]
        axes.add_patch(Rectangle(box[:2], *size, fill=False, edgecolor=colour, linewidth=1.6))
        if scores is not None:
            label = {"facecolor": colour, "edgecolor": "none", "pad": 0.8, "alpha": 0.85}
            axes.text(*box[:2], f"{scores[i]:.2f}", color="white", fontsize=6.5, va="bottom", bbox=label)
    return {int(kind) for kind in found["classes"]}


def colour_of(kind):
    """The colour of class number `kind`, RGB 0–1; black is that of the background of masks, so it begins behind it."""
    return COLOURS[(int(kind) + 1) % len(COLOURS)]


def _legend(seen, class_names):
    from matplotlib.patches import Patch

    return [Patch(facecolor=colour_of(k), label=plain(shortened(class_names[k], 20))) for k in seen[:24]]
