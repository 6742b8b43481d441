"""The stages of an architecture as a picture: blocks that shrink in size and grow in channels, as papers draw them."""

import math

from kcnn.evaluation.theme import BLUE, GREY, INK, new_figure, save, styled

SLANT = 0.45  # how far a block's depth leans, as a share of its face


@styled
def draw_stages(description, path):
    """Write a PNG at `path`: one block a level, as tall as its map and as thick as the logarithm of its channels."""
    stages = [("image", description.input_shape, ""), *(_stage(level) for level in description.levels)]
    figure = new_figure(1.5 * len(stages) + 0.6, 3.6)
    axes = figure.subplots()
    largest = max(shape[0] for _, shape, _ in stages)
    x = 0.0
    for name, shape, text in stages:
        height = 0.35 + 1.65 * math.sqrt(shape[0] / largest)
        width = 0.12 + 0.09 * math.log2(shape[-1] + 1)
        _block(axes, x, height, width, GREY if name == "image" else BLUE)
        size = "×".join(map(str, shape[:-1]))
        axes.text(x + width / 2, -0.14, f"{name}\n{size}\n{shape[-1]} ch.\n{text}", ha="center", va="top", color=INK)
        x += width + SLANT * height * 0.5 + 0.95
    title = f"{description.name}: {description.parameters:,} parameters, {description.depth} layers deep"
    axes.set_title(title)
    axes.set(xlim=(-0.45, x - 0.3), ylim=(-1.25, 2.6), aspect="equal")
    axes.set_axis_off()
    save(figure, path)


def _stage(level):
    field = level.field[0]
    return level.name, level.shape, "sees all" if level.whole and field <= 1 else f"sees {field} px"


def _block(axes, x, height, width, colour):
    """A box seen from its front left: `width` thick, its face `height` high and leaning into the page."""
    dx, dy = SLANT * height * 0.5, SLANT * height * 0.35
    face = [(x + width, 0), (x + width + dx, dy), (x + width + dx, dy + height), (x + width, height)]
    top = [(x, height), (x + width, height), (x + width + dx, height + dy), (x + dx, height + dy)]
    front = [(x, 0), (x + width, 0), (x + width, height), (x, height)]
    for corners, strength in ((front, 0.85), (top, 0.55), (face, 0.35)):
        axes.fill(*zip(*corners, strict=True), facecolor=colour, alpha=strength, edgecolor="white", linewidth=0.8)
