"""A heat map as a picture: the image, and beside it the same image under its heat."""

import numpy as np

from kcnn.evaluation.plots import show
from kcnn.evaluation.theme import INK, new_figure, plain, save, shortened, styled

HEAT, BOX = "inferno", "#2fd6c3"


@styled
def save_overlay(image, heat, path, label, box=None):
    """Write a PNG at `path`: `image` (H, W, C) as the network sees it, and under its `heat` (H, W) for `label`.

    box: (4,) x0, y0, x1, y1 in pixels of the image, of the object that is explained, if it is one.
    """
    figure = new_figure(7.2, 4.1)
    figure.get_layout_engine().set(w_pad=0.08)
    left, right = figure.subplots(1, 2)
    show(left, image)
    show(right, _grey(image))
    layer = right.imshow(heat, cmap=HEAT, vmin=0, vmax=1, alpha=0.25 + 0.6 * heat, interpolation="bilinear")
    if box is not None:
        from matplotlib.patches import Rectangle

        for axes in (left, right):
            low, size = np.asarray(box[:2]) - 0.5, np.asarray(box[2:]) - np.asarray(box[:2])
            axes.add_patch(Rectangle(low, *size, fill=False, edgecolor=BOX, linewidth=2))
    left.set_title(plain(shortened(label, 40)), fontsize=13, color=INK)
    left.set_xlabel("what the network sees")
    right.set_xlabel("what speaks for it" if np.any(heat) else "nothing speaks for it here: ask another level")
    bar = figure.colorbar(layer, ax=right, shrink=0.75, aspect=25, pad=0.02)
    bar.set_ticks([0, 1], labels=["none", "most"])
    bar.outline.set_visible(False)
    for axes in (left, right):
        axes.spines[:].set_visible(False)
    save(figure, path)


def _grey(image):
    """The image (H, W, C) without colour, so that only the heat has any."""
    image = np.asarray(image)
    return image.mean(-1, keepdims=True).astype(image.dtype)
