"""The pictures of the doctor's page: how measures and classes are spread, findings, copies side by side."""

import math

import numpy as np

from kcnn.evaluation.plots import show
from kcnn.evaluation.theme import BLUE, GREEN, GREY, INK, ORANGE, RED, new_figure, plain, save, shortened, styled

COLOURS = (BLUE, ORANGE, GREEN, GREY, RED)
MOST_CLASSES = 40
ACROSS = 4  # pictures of one case
COLUMNS = 6


@styled
def histograms(measures, path):
    """One panel for each `record.Histogram`, with its median, as a PNG."""
    from matplotlib.ticker import LogLocator, NullLocator

    figure = new_figure(3.7 * len(measures), 2.9)
    for axes, measure in zip(np.atleast_1d(figure.subplots(1, len(measures))), measures, strict=True):
        edges = np.array(measure.edges)
        axes.bar(edges[:-1], measure.counts, np.diff(edges), align="edge", color=BLUE, edgecolor="white", linewidth=0.3)
        axes.axvline(measure.median, color=ORANGE)
        axes.set(title=measure.title, xlabel=measure.unit, ylabel=measure.what, xlim=(edges[0], edges[-1]))
        axes.set_ylim(0, 1.18 * max(measure.counts))
        if measure.logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_locator(NullLocator())
        left = measure.median > (edges[len(edges) // 2])
        axes.annotate(f"median {measure.median:.3g}", (measure.median, 1), (-4 if left else 4, -2),
                      xycoords=("data", "axes fraction"), textcoords="offset points", color=ORANGE, fontsize=9,
                      va="top", ha="right" if left else "left")  # fmt: skip
        axes.yaxis.get_major_locator().set_params(integer=True)
    save(figure, path)


@styled
def classes(splits, path):
    """Pictures of each class, a bar for each split, the commonest class first; of many classes both ends, as a PNG."""
    names = list(next(iter(splits.values())))
    totals = {name: sum(counts[name] for counts in splits.values()) for name in names}
    order = sorted(names, key=lambda name: -totals[name])
    half = MOST_CLASSES // 2
    chosen = order if len(order) <= MOST_CLASSES else order[:half] + order[-half:]
    figure = new_figure(7, 1.3 + 0.27 * len(chosen))
    axes, start = figure.subplots(), np.zeros(len(chosen))
    for (split, counts), colour in zip(splits.items(), COLOURS * len(splits), strict=False):
        values = np.array([counts[name] for name in chosen])
        axes.barh(range(len(chosen)), values, left=start, height=0.72, color=colour, label=plain(split))
        start += values
    for row, value in enumerate(start):
        axes.text(value, row, f" {value:.0f}", va="center", fontsize=8)
    axes.set_yticks(range(len(chosen)), [plain(shortened(name, 28)) for name in chosen])
    axes.set(xlabel="pictures", ylim=(len(chosen) - 0.4, -0.6), xlim=(0, 1.1 * max(start.max(), 1)))
    if len(chosen) < len(names):
        axes.set_title(f"The {half} commonest and the {half} rarest of {len(names)} classes")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if len(splits) > 1:
        figure.legend(loc="outside upper right", ncols=len(splits))
    save(figure, path)


@styled
def gallery(captions, images, path, columns=COLUMNS):
    """Single pictures (n, H, W, 3) with `captions` [(above, below)], as a PNG."""
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    figure = new_figure(max(1.75 * columns, 3.2), 2.2 * rows)
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.08)
    every = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for axes, (above, below), image in zip(every, captions, images, strict=False):
        _picture(axes, image, above, below)
    for axes in every[len(images) :]:
        axes.set_visible(False)
    save(figure, path)


@styled
def side_by_side(cases, images, path):
    """Copies beside each other: `images` is a list (one for each `record.Case`) of lists of pictures, as a PNG.

    Below the first of each case stands what was seen, such as how alike they are.
    """
    wide = min(ACROSS, max(map(len, images)))
    beside = max(1, COLUMNS // wide)
    rows = math.ceil(len(cases) / beside)
    beside = min(beside, len(cases))
    figure = new_figure(1.75 * wide * beside + 0.3 * (beside - 1), 2.35 * rows)
    figure.get_layout_engine().set(w_pad=0.04, h_pad=0.08)
    grid = figure.add_gridspec(
        rows, beside * (wide + 1) - 1, width_ratios=([1] * wide + [0.12]) * (beside - 1) + [1] * wide
    )
    for place, (case, seen) in enumerate(zip(cases, images, strict=True)):
        differs = len({shown.label for shown in case.pictures}) > 1
        for column, (shown, image) in enumerate(zip(case.pictures, seen, strict=False)):
            axes = figure.add_subplot(grid[place // beside, place % beside * (wide + 1) + column])
            words = f"{shown.split}: {shortened(shown.label, 16)}"
            seen_there = [] if column else [shortened(part, 30) for part in case.detail.split(", ")[:2]]
            below = "\n".join([shortened(shown.name, 24), *seen_there])
            _picture(axes, image, words, below, RED if differs else INK)
    save(figure, path)


def _picture(axes, image, above, below, colour=INK):
    show(axes, image)
    axes.spines[:].set_color("#C9CDD3")
    axes.set_title(plain(above), fontsize=9, loc="center", pad=3, color=colour, fontweight="normal")
    axes.set_xlabel(plain(below), fontsize=8, labelpad=3)
