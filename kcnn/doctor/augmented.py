"""A sheet of pictures: each as the network is evaluated on it, beside several versions that training would see.

What the batches say of places, boxes and masks, is drawn over each. Volumes are drawn by their middle.
"""

import numpy as np

from kcnn.data.facts import framing_of
from kcnn.data.stream import batches
from kcnn.doctor.outlines import DRAWN, colour_of, outline
from kcnn.doctor.words import counted
from kcnn.evaluation.plots import show
from kcnn.evaluation.theme import INK, new_figure, plain, save, shortened, styled

PICTURES, VERSIONS = 6, 5
NAMED, BESIDE = 24, 6  # classes that the legend has at most, and in a row


def write_sheet(dataset, frame, recipe, path, title):
    """Draw as PNG at `path` pictures of the training split in `frame`, and what the recipe's first epochs see."""
    everything = dataset.splits["train"]
    samples = everything.take(np.unique(np.linspace(0, len(everything) - 1, PICTURES).astype(int)))
    count, classes = len(samples), len(dataset.class_names)
    shape = {"num_classes": classes, "framing": framing_of(dataset, recipe.data), "max_pixels": recipe.data.max_pixels}
    original = batches(samples, frame, count, training=False, **shape)
    stream = batches(samples, frame, count, training=True, augment=recipe.augment, seed=recipe.runtime.seed, **shape)
    columns = [next(original.as_numpy_iterator()), *map(_in_order, stream.take(VERSIONS).as_numpy_iterator())]
    names = [dataset.class_names[label] if np.ndim(label) == 0 else "" for label in samples.labels]
    title = f"{title}, {count} of {counted(len(everything), 'training picture')}"
    _draw(columns, names, dataset.class_names, path, title)


def _in_order(batch):
    order = np.argsort(batch["index"])
    return {key: value[order] for key, value in batch.items()}


@styled
def _draw(columns, names, class_names, path, title):
    count, shape = len(names), columns[0]["image"].shape[1:-1]
    height, width = shape[-2:] if len(shape) > 1 else (1, 1)
    side = 1.35
    figure = new_figure(side * (1 + VERSIONS) + 0.3, side * count * height / width + 0.75)
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03)
    figure.suptitle(plain(title), fontsize=13, color=INK, x=0.01, ha="left")
    ratios = [1, 0.12] + [1] * VERSIONS
    seen = set()
    grid = figure.subplots(count, 2 + VERSIONS, squeeze=False, gridspec_kw={"width_ratios": ratios})
    for i, row in enumerate(grid):
        row[1].set_visible(False)
        for axes, batch in zip(np.delete(row, 1), columns, strict=True):
            show(axes, batch["image"][i])
            seen |= outline(axes, {key: batch[key][i] for key in DRAWN if key in batch})
            axes.spines[:].set_visible(False)
        row[0].set_ylabel(plain(shortened(names[i], 16)), fontsize=9)
    grid[0][0].set_title("original", fontsize=10)
    grid[0][2].set_title(f"{counted(VERSIONS, 'version')} as training draws them", fontsize=10)
    _name_colours(figure, sorted(seen)[:NAMED], class_names)
    save(figure, path)


def _name_colours(figure, kinds, class_names):
    from matplotlib.patches import Patch

    handles = [Patch(color=colour_of(kind), label=plain(shortened(class_names[kind], 16))) for kind in kinds]
    if handles:
        figure.set_figheight(figure.get_figheight() + 0.2 * (len(handles) // BESIDE))
        figure.legend(handles=handles, loc="outside lower left", ncols=BESIDE, fontsize=9)
