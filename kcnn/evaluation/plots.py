"""The report's figures: learning curves, confusion matrix, F1 of each class, worst mistakes."""

import math

import numpy as np

from kcnn.evaluation.markdown import short_name
from kcnn.evaluation.theme import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    RED,
    SEQUENTIAL,
    new_figure,
    plain,
    save,
    shortened,
    styled,
)

MOST_BARS = 40
FEW_CLASSES = 20


@styled
def curves(history, path, metric="accuracy"):
    """Loss, metric and learning rate over epochs as a PNG; `history` is {column: [a value or None for each epoch]}."""
    panels = [("Loss", "loss"), (short_name(metric), metric), ("Learning rate", "learning_rate")]
    known = {key: (_numbers(history, key), _numbers(history, f"val_{key}")) for _, key in panels}
    panels = [(title, key) for title, key in panels if any(values is not None for values in known[key])]
    figure = new_figure(4.2 * len(panels), 3.3)
    epochs = np.asarray(history.get("epoch") or range(1, len(next(iter(history.values()))) + 1), float)
    for axes, (title, key) in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
        axes.set(title=title, xlabel="epoch")
        axes.grid(True, axis="y")
        axes.xaxis.get_major_locator().set_params(integer=True)
        own, held_out = known[key]
        if own is not None:
            axes.plot(epochs, own, color=BLUE, marker=_marker(epochs), label="training")
        if held_out is not None:
            best = np.nanargmin(held_out) if key == "loss" else np.nanargmax(held_out)
            label = f"validation, best {held_out[best]:.4g}"
            axes.plot(epochs, held_out, color=ORANGE, marker=_marker(epochs), label=label)
            axes.plot(epochs[best], held_out[best], "o", color=ORANGE, markersize=8, markerfacecolor="white", zorder=4)
            axes.legend()
        if key == "learning_rate":
            axes.set_ylim(bottom=0)
    save(figure, path)


@styled
def confusion_matrix(counts, class_names, path, cell=lambda count, share: _count(count)):
    """Confusion matrix (K, K), rows true and columns predicted, coloured by the share of each row, as a PNG.

    cell: what stands in a cell of up to 20 classes, of its count and its share of the row.
    """
    counts, k = np.asarray(counts), len(class_names)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    width = min(max(k * (0.42 if k <= FEW_CLASSES else 0.13), 1.6), 26)
    figure = new_figure(width + 3.1, width + 2.2)
    figure.get_layout_engine().set(w_pad=0.1)
    axes = figure.subplots()
    # The square root lets a few per cent of mistakes show beside a diagonal near 1.
    image = axes.imshow(np.sqrt(share), cmap=SEQUENTIAL, vmin=0, vmax=1)
    size = 9 if k <= FEW_CLASSES else 6
    labels = [plain(shortened(name, 18)) for name in class_names]
    axes.set_xticks(range(k), labels, rotation=90 if 0.09 * max(map(len, labels)) > width / k else 0, fontsize=size)
    axes.set_yticks(range(k), labels, fontsize=size)
    axes.set(xlabel="predicted", ylabel="true")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(k + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(k + 1) - 0.5, minor=True)
    axes.grid(True, which="minor", color="white", linewidth=1 if k <= FEW_CLASSES else 0.3)
    axes.tick_params(which="minor", length=0)
    if k <= FEW_CLASSES:
        for row, column in np.argwhere(counts):
            dark = share[row, column] > 0.3
            axes.text(
                column,
                row,
                cell(counts[row, column], share[row, column]),
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else INK,
            )
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=30, pad=0.02)
    bar.set_ticks(np.sqrt([0, 0.01, 0.05, 0.2, 0.5, 1]), labels=["0", "1 %", "5 %", "20 %", "50 %", "100 %"])
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)
    save(figure, path)


@styled
def class_dots(per_class, path, figure_name="f1"):
    """Each class's F1 with its 95 % interval, weakest first, as a PNG; of more than 40 classes the 40 weakest."""
    rows = sorted((row for row in per_class if row[figure_name] is not None), key=lambda row: row[figure_name])
    shown = rows[:MOST_BARS]
    figure = new_figure(7, 1.1 + 0.26 * max(len(shown), 1))
    axes = figure.subplots()
    mean = float(np.mean([row[figure_name] for row in rows])) if rows else 0.0
    ends = [(row.get("intervals") or {}).get(figure_name) for row in shown]
    values = [(row[figure_name], pair, f"{row[figure_name]:.3f}") for row, pair in zip(shown, ends, strict=True)]
    dots(axes, range(len(shown)), [shortened(row["name"], 28) for row in shown], values, [BLUE] * len(shown))
    axes.axvline(mean, color=ORANGE, linewidth=1.5, zorder=1)
    axes.text(mean, -0.65, f"mean {mean:.3f}", color=ORANGE, ha="center", va="bottom", fontsize=8)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlabel("F1 (harmonic mean of precision and recall), with 95 % intervals")
    if len(rows) > len(shown):
        axes.set_title(f"The {len(shown)} weakest of {len(rows)} classes", pad=14)
    save(figure, path)


def dots(axes, places, labels, values, colours):
    """A row a label: its value as a dot on its interval, and as text at the right; values are (value, [low, high] or
    None, text), all in 0–1. The axis reaches from the lowest to the highest of them."""
    for place, (value, ends, text), colour in zip(places, values, colours, strict=True):
        if ends:
            axes.plot(ends, [place, place], color=colour, linewidth=2, solid_capstyle="butt", alpha=0.6)
        axes.plot(value, place, "o", color=colour, markersize=6)
        axes.text(1.01, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    shown = [end for value, ends, _ in values for end in (value, *(ends or []))] or [0.0, 1.0]
    low, high = np.floor(10 * min(shown)) / 10, np.ceil(10 * max(shown)) / 10
    axes.set_xlim(max(0.0, min(low, high - 0.1)), min(high, 1.0) + 0.01)
    axes.set_yticks(places, [plain(label) for label in labels], fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(True, axis="x")


@styled
def gallery(worst, images, path, columns=6):
    """The samples in `worst` (dicts of classification.measure) with their `images` (n, ...), as a PNG at `path`."""
    rows = math.ceil(len(worst) / columns)
    columns = min(columns, len(worst))
    figure = new_figure(max(1.75 * columns, 3.2), 2.35 * rows)
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.08)
    for axes, item, image in zip(np.ravel(figure.subplots(rows, columns, squeeze=False)), worst, images, strict=False):
        show(axes, image)
        axes.set_title(plain(f"true {shortened(item['true'], 15)}"), color=GREEN, fontsize=9, loc="center", pad=3)
        said = f"→ {shortened(item['predicted'], 15)}  {item['score']:.0%}"
        axes.set_xlabel(plain(said), color=RED, fontsize=9, labelpad=3)
    for axes in figure.axes[len(worst) :]:
        axes.set_visible(False)
    save(figure, path)


def show(axes, image):
    """Draw one sample: a picture (H, W, C) by 1 or 3 channels, a signal (T, C) as lines, a volume's middle."""
    image = np.asarray(image)
    axes.set_xticks([])
    axes.set_yticks([])
    if image.ndim == 2:
        axes.plot(image, linewidth=1)
        return
    image = image[len(image) // 2] if image.ndim == 4 else image
    image = image if image.shape[-1] == 3 else image[..., :1]
    if image.dtype != np.uint8:
        low, high = np.nanmin(image), np.nanmax(image)
        image = (image - low) / ((high - low) or 1)
    axes.imshow(image, cmap="gray", vmin=0, vmax=255 if image.dtype == np.uint8 else 1, interpolation="nearest")


def _numbers(history, key):
    values = np.asarray([np.nan if v in (None, "") else float(v) for v in history.get(key, [])])
    return values if np.isfinite(values).any() else None


def _marker(epochs):
    return "." if len(epochs) <= 30 else None


def _count(n):
    return str(n) if n < 10_000 else f"{n / 1000:.0f}k"
