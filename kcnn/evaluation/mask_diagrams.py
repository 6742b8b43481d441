"""The report's figures of masks: IoU and Dice of each class, which is taken for which, the pictures to look at."""

import numpy as np

from kcnn.evaluation.overlays import as_rgb, palette
from kcnn.evaluation.plots import MOST_BARS, confusion_matrix, dots, show
from kcnn.evaluation.theme import BLUE, GREY, INK, ORANGE, new_figure, plain, save, shortened, styled
from kcnn.masks import IGNORE

SIDE = 2.5  # inches of a picture's longer side
MOST_NAMES = 24  # classes in the legend
ALPHA = 0.6  # how much of a class's colour is seen over the picture
MIDDLE, CONTRAST = 127.5, 0.6  # the grey level round which, and how much of, a picture's contrast is left below masks


@styled
def class_shares(per_class, path):
    """Each class's IoU with its 95 % interval and its Dice, weakest first, as a PNG; of more than 40 the 40 weakest."""
    rows = sorted((row for row in per_class if row["iou"] is not None), key=lambda row: row["iou"])
    shown = rows[:MOST_BARS]
    figure = new_figure(7, 1.3 + 0.26 * max(len(shown), 1))
    axes = figure.subplots()
    values = [(row["iou"], row["intervals"]["iou"], f"{row['iou']:.3f}") for row in shown]
    names = [shortened(row["name"], 28) for row in shown]
    dots(axes, range(len(shown)), names, values, [BLUE] * len(shown))
    dice = [row["dice"] for row in shown]
    axes.plot(dice, range(len(shown)), "o", color=ORANGE, markersize=5, markerfacecolor="white", zorder=1.9)
    axes.set_xlim(right=max(axes.get_xlim()[1], min(1.0, np.ceil(10 * max(dice, default=1)) / 10) + 0.01))
    axes.plot([], [], "o-", color=BLUE, label="IoU, with its 95 % interval; the number at the right")
    axes.plot([], [], "o", color=ORANGE, markerfacecolor="white", markersize=5, label="Dice")
    if rows:
        mean = float(np.mean([row["iou"] for row in rows]))
        axes.axvline(mean, color=GREY, linewidth=1.2, linestyle="--", zorder=1, label=f"mean IoU {mean:.3f}")
    axes.set_ylim(len(shown) - 0.4, -0.6)
    figure.legend(loc="outside upper left", ncols=3, fontsize=8, columnspacing=1.2)
    if len(rows) > len(shown):
        axes.set_xlabel(f"the {len(shown)} weakest of {len(rows)} classes")
    save(figure, path)


def confusion(counts, class_names, path):
    """The confusion matrix of places as a PNG: each cell says its share of the true class."""
    confusion_matrix(counts, class_names, path, cell=lambda count, share: _share(share))


def _share(share):
    return "<0.1" if share < 0.001 else f"{100 * share:.1f}" if share < 0.9995 else "100"


@styled
def examples(rows, pictures, class_names, path):
    """A row a picture as a PNG: the picture, its true mask and the answer, both laid over it without its colours.

    rows: [{name, mean_iou}]; pictures: {"picture", "truth", "answer"}, each (n, ...), of any rank; of volumes the
    middle is drawn.
    """
    parts = [_flat(pictures[key], pictures["truth"].ndim) for key in ("picture", "truth", "answer")]
    wide, high = _panel(parts[1].shape[1:])
    figure = new_figure(3 * wide + 0.3, len(rows) * (high + 0.4) + 0.6)
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.04)
    grid = figure.subplots(len(rows), 3, squeeze=False)
    for line, row, picture, truth, answer in zip(grid, rows, *parts, strict=True):
        said = [shortened(row["name"], int(11 * wide)), "truth", f"answer, mean IoU {row['mean_iou']:.3f}"]
        for axes, mask, words in zip(line, (None, truth, answer), said, strict=True):
            show(axes, _grey(picture) if mask is not None and mask.ndim == 2 else picture)
            axes.margins(x=0)
            if mask is not None:
                _lay_over(axes, mask, truth == IGNORE)
            axes.set_title(plain(words), fontsize=9, pad=3, fontweight="normal")
            axes.spines[:].set_visible(False)
    seen = np.unique(np.concatenate([np.unique(part) for part in parts[1:]]))
    figure.legend(handles=_legend(seen, class_names), loc="outside lower left", ncols=max(2, int(0.65 * 3 * wide)),
                  fontsize=8, handlelength=1.4, columnspacing=1.4)  # fmt: skip
    save(figure, path)


@styled
def sheet(names, pictures, masks, class_names, path, columns=4):
    """Pictures with their masks laid over them as a PNG, and the classes' colours below; what is not judged is hatched.

    pictures and masks: lists of as many as `names`, of any rank; of volumes the middle is drawn.
    """
    middle = [len(mask) // 2 if mask.ndim == 3 else ... for mask in masks]
    shown = [(picture[at], mask[at]) for picture, mask, at in zip(pictures, masks, middle, strict=True)]
    panels = np.array([_panel(mask.shape) for _, mask in shown])
    wide, high = panels.max(0)
    columns = min(columns, len(shown))
    rows = -(-len(shown) // columns)
    seen = np.unique(np.concatenate([np.unique(mask) for _, mask in shown]))
    handles, beside = _legend(seen, class_names), max(2, int(0.65 * columns * wide))
    figure = new_figure(columns * wide, rows * (high + 0.25) + 0.4 + 0.2 * -(-len(handles) // beside))
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.04)
    every = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name, (picture, mask) in zip(every, names, shown, strict=False):
        show(axes, _grey(picture) if mask.ndim == 2 else picture)
        axes.margins(x=0)
        _lay_over(axes, mask, mask == IGNORE)
        axes.set_title(plain(shortened(name, int(11 * wide))), fontsize=9, pad=3, fontweight="normal")
    for axes in every:
        axes.spines[:].set_visible(False)
    for axes in every[len(shown) :]:
        axes.set_visible(False)
    figure.legend(handles=handles, loc="outside lower left", ncols=beside, fontsize=9, handlelength=1.4)
    save(figure, path)


def _flat(values, rank):
    """(n, H, W, ...) or (n, T, ...): the middle of volumes, all else as it is; `rank` is that of the masks."""
    return values[:, values.shape[1] // 2] if rank == 4 else values


def _panel(shape):
    """(width, height) in inches of what is drawn of a mask of `shape`."""
    if len(shape) == 1:
        return 3.2, 1.2
    high, wide = SIDE * np.array(shape) / max(shape)
    return max(wide, 1.9), max(high, 0.6)


def _grey(picture):
    """A picture (H, W, C) without its colours and most of its contrast, so that a class has one colour everywhere."""
    return (MIDDLE + CONTRAST * (as_rgb(picture).mean(-1, keepdims=True) - MIDDLE)).astype(np.uint8)


def _lay_over(axes, mask, ignored):
    """Draw `mask`, and hatch what is not judged, over what `axes` show."""
    from matplotlib import rc_context

    mask = mask if mask.ndim == 2 else mask[None]
    ignored = ignored.reshape(mask.shape)
    colour = np.dstack([palette()[mask], np.where(ignored, 0, np.uint8(255 * ALPHA))])
    low, high = axes.get_ylim()
    size = (-0.5, mask.shape[1] - 0.5, *((low, high) if len(mask) == 1 else (len(mask) - 0.5, -0.5)))
    axes.imshow(colour, extent=size, aspect="auto" if len(mask) == 1 else "equal", interpolation="nearest", zorder=3)
    if ignored.any() and mask.shape[1] > 1:  # a field of one column has no area to hatch
        rows = np.linspace(*axes.get_ylim(), 2) if len(mask) == 1 else np.arange(len(mask))
        field = np.repeat(ignored, 2, axis=0) if len(mask) == 1 else ignored
        with rc_context({"hatch.color": INK, "hatch.linewidth": 0.6}):
            axes.contourf(np.arange(mask.shape[1]), rows, field, [0.5, 1.5], colors=["#FFFFFF80"], hatches=["/////"],
                          zorder=4)  # fmt: skip


def _legend(seen, class_names):
    """Patches of the classes `seen` and, where it is among them, of what is not judged."""
    from matplotlib.patches import Patch

    classes = [k for k in seen if k != IGNORE]
    handles = [
        Patch(facecolor=palette()[k] / 255, label=plain(shortened(class_names[k], 20))) for k in classes[:MOST_NAMES]
    ]
    if len(classes) > MOST_NAMES:
        handles.append(Patch(facecolor="none", label=f"and {len(classes) - MOST_NAMES} more"))
    if IGNORE in seen:
        handles.append(Patch(facecolor="white", edgecolor=INK, linewidth=0, hatch="/////", label="not judged"))
    return handles
