"""A sheet of pictures: each as the network is evaluated on it, beside several versions that training would see."""

import numpy as np

from kcnn.data.stream import batches
from kcnn.doctor.words import counted
from kcnn.evaluation.plots import show
from kcnn.evaluation.theme import INK, new_figure, plain, save, shortened, styled

PICTURES, VERSIONS = 6, 7


def write_sheet(dataset, frame, recipe, path, title):
    """Draw as PNG at `path` pictures of the training split in `frame`, and what the recipe's first epochs see."""
    everything = dataset.splits["train"]
    samples = everything.take(np.unique(np.linspace(0, len(everything) - 1, PICTURES).astype(int)))
    count, classes = len(samples), len(dataset.class_names)
    shape = {"num_classes": classes, "framing": recipe.data.framing, "max_pixels": recipe.data.max_pixels}
    original = next(iter(batches(samples, frame, count, training=False, **shape)))["image"]
    stream = batches(samples, frame, count, training=True, augment=recipe.augment, seed=recipe.runtime.seed, **shape)
    versions = [batch["image"][np.argsort(batch["index"])] for batch in stream.take(VERSIONS).as_numpy_iterator()]
    names = [dataset.class_names[label] if np.ndim(label) == 0 else "" for label in samples.labels]
    _draw(
        original.numpy(), versions, names, path, f"{title}, {count} of {counted(len(everything), 'training picture')}"
    )


@styled
def _draw(original, versions, names, path, title):
    count, (height, width) = len(original), original.shape[1:3]
    side = 1.35
    figure = new_figure(side * (1 + VERSIONS) + 0.3, side * count * height / width + 0.75)
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03)
    figure.suptitle(plain(title), fontsize=13, color=INK, x=0.01, ha="left")
    ratios = [1, 0.12] + [1] * VERSIONS
    grid = figure.subplots(count, 2 + VERSIONS, squeeze=False, gridspec_kw={"width_ratios": ratios})
    for i, row in enumerate(grid):
        row[1].set_visible(False)
        for axes, image in zip(np.delete(row, 1), (original[i], *(version[i] for version in versions)), strict=True):
            show(axes, image)
            axes.spines[:].set_visible(False)
        row[0].set_ylabel(plain(shortened(names[i], 16)), fontsize=9)
    grid[0][0].set_title("original", fontsize=10)
    grid[0][2].set_title(f"{counted(VERSIONS, 'version')} as training draws them", fontsize=10)
    save(figure, path)
