"""More of the report's figures: precision-recall and ROC curves, calibration, slices, pairs of confused classes."""

import numpy as np

from kcnn.evaluation.plots import dots, show
from kcnn.evaluation.theme import BLUE, GREEN, GREY, INK, ORANGE, RED, new_figure, plain, save, shortened, styled

COLOURS = (ORANGE, GREEN, "#CC79A7")
MOST_SLICES = 60


@styled
def ranking(curves, figures, path):
    """Precision over recall and true over false positives as a PNG: the mean over classes and the worst three.

    `curves` is the `ranking` of `figures`, which also hold the two mean areas and a row for each class.
    """
    drawn, classes = curves["classes"][: len(COLOURS)], sum(row["roc_auc"] is not None for row in figures["per_class"])
    said = f"mean, and the {len(drawn)} weakest of {classes} classes" if len(drawn) < classes else None
    figure = new_figure(9.2, 5.2)
    left, right = figure.subplots(1, 2)
    grid = np.linspace(0, 1, len(curves["mean"]["roc"]))
    right.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="guessing, area 0.5")
    for axes, key, area in ((left, "precision", "average_precision"), (right, "roc", "roc_auc")):
        x, before = (grid, []) if key == "precision" else (np.append(0, grid), [0])
        for row, colour in zip(drawn, COLOURS, strict=False):
            label = f"{shortened(row['name'], 16)}, area {row[area]:.4f}"
            axes.plot(x, before + row[key], color=colour, linewidth=1.2, label=plain(label))
        total = figures["mean_average_precision" if key == "precision" else "roc_auc"]
        axes.plot(
            x, before + curves["mean"][key], color=BLUE, linewidth=2.5, label=f"mean of classes, area {total:.4f}"
        )
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.03), aspect="equal")
        axes.grid(True)
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], labels[::-1], loc="upper left", bbox_to_anchor=(0, -0.14), fontsize=8, title=said,
                    title_fontsize=8, alignment="left")  # fmt: skip
    left.set(title="Precision and recall", xlabel="recall", ylabel="precision")
    right.set(title="ROC", xlabel="false positives, share of the others", ylabel="true positives, share of the class")
    save(figure, path)


@styled
def reliability(calibration, path):
    """Share of right answers over the model's own score as a PNG, before and after the temperature.

    Thin lines are 95 % intervals; bars below tell how many samples have such a score.
    """
    figure = new_figure(5.4, 5.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    upper.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="as often right as it says")
    parts = [("bins", "ece", BLUE, "as trained")]
    if calibration.get("bins_after"):
        parts.append(("bins_after", "ece_after", ORANGE, f"logits divided by {calibration['temperature']:.3g}"))
    for key, error, colour, words in parts:
        score, right, share, low, high = np.array(calibration[key]).T
        upper.vlines(score, low, high, color=colour, linewidth=1, alpha=0.5)
        upper.plot(score, right, "o", color=colour, markersize=5, label=f"{words}, ECE {calibration[error]:.4f}")
        lower.bar(score, share, width=0.028, color=colour, alpha=0.75)
    upper.set(ylabel="share that is right", xlim=(-0.02, 1.02), ylim=(-0.02, 1.03))
    upper.grid(True)
    figure.legend(*upper.get_legend_handles_labels(), loc="outside upper left", fontsize=8)
    lower.set(xlabel="score, mean of each of 15 bins", ylabel="share of\nsamples", ylim=(0, None))
    save(figure, path)


@styled
def slices(rows, accuracy, path):
    """Accuracy of each slice with its 95 % interval as a PNG, a block each column; weak ones red, small ones grey."""
    rows = [row for row in rows if row["interval"]][:MOST_SLICES]
    heads = [i for i, row in enumerate(rows) if not i or rows[i - 1]["by"] != row["by"]]
    places = np.arange(len(rows)) + np.cumsum(np.isin(np.arange(len(rows)), heads)) * 1.15
    figure = new_figure(7.2, 1.0 + 0.25 * (places[-1] + 1))
    axes = figure.subplots()
    colours = [GREY if row["small"] else RED if row["weak"] else BLUE for row in rows]
    labels = [f"{shortened(row['value'], 24)}  ({row['samples']})" for row in rows]
    values = [(row["accuracy"], row["interval"], f"{row['accuracy']:.1%}") for row in rows]
    dots(axes, places, labels, values, colours)
    axes.axvline(accuracy, color=GREY, linewidth=1, zorder=1)
    for i in heads:
        axes.text(axes.get_xlim()[0], places[i] - 1, plain(shortened(rows[i]["by"], 40)), fontweight="bold", fontsize=9,
                  va="center")  # fmt: skip
    axes.set_ylim(places[-1] + 0.7, -0.7)
    axes.xaxis.get_major_locator().set_params(steps=[1, 2, 5, 10])
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel(f"accuracy; the line is all samples, {accuracy:.2%}")
    save(figure, path)


@styled
def pairs(confused, images, path, columns=3):
    """For each of the `confused` pairs a mistaken sample beside one that is what it was taken for, as a PNG.

    `images` (2n, …) has the two of each pair in turn.
    """
    rows, columns = -(-len(confused) // columns), min(columns, len(confused))
    figure = new_figure(3.8 * columns, 2.4 * rows)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.08)
    grid = figure.subplots(rows, 3 * columns, squeeze=False, width_ratios=[1, 1, 0.15] * columns)
    cells = grid.reshape(-1, 3)
    for (mistaken, lookalike, _), pair, i in zip(cells, confused, range(len(confused)), strict=False):
        show(mistaken, images[2 * i])
        show(lookalike, images[2 * i + 1])
        mistaken.set_title(plain(f"true {shortened(pair['true'], 14)}"), color=GREEN, fontsize=9, loc="center", pad=3)
        said = f"→ {shortened(pair['predicted'], 14)}, {pair['count']} times"
        mistaken.set_xlabel(plain(said), color=RED, fontsize=9, labelpad=3)
        words = f"a real {shortened(pair['predicted'], 14)}"
        lookalike.set_title(plain(words), color=INK, fontsize=9, loc="center", pad=3)
    for axes in [*cells[:, 2], *cells[len(confused) :, :2].ravel()]:
        axes.set_visible(False)
    save(figure, path)
