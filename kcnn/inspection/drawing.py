"""The stages of an architecture as a picture: blocks that shrink in size and grow in channels, as papers draw them."""

import math
import textwrap

from kcnn.evaluation.theme import BLUE, GREY, INK, new_figure, save, styled

SLANT = 0.45  # how far a block's depth leans, as a share of its face
BOLD, SMALL = 9.5, 14  # how many letters of a title, and of a note, stand on an inch
NOTE = "Not to scale: heights grow with the square root of a side, widths with the logarithm of the channels."


@styled
def draw_stages(description, path):
    """Write a PNG at `path`: a block a level, as tall as the root of its side, as thick as the log of its channels.

    A signal's are flat: it has no second side to lean into the page.
    """
    kind, unit = description.words
    levels = [(level.name, level.shape, level.seen(unit)) for level in description.levels]
    stages = [(kind, description.input_shape, ""), *levels]
    inches = 1.5 * len(stages) + 0.6
    figure = new_figure(inches, 3.6)
    axes, slant = figure.subplots(), 0.0 if len(description.input_shape) == 2 else SLANT
    largest = max(shape[0] for _, shape, _ in stages)
    x = 0.0
    for name, shape, text in stages:
        height = 0.35 + 1.65 * math.sqrt(shape[0] / largest)
        width = 0.12 + 0.09 * math.log2(shape[-1] + 1)
        _block(axes, x, height, width, slant, GREY if name == kind else BLUE)
        size = "×".join(map(str, shape[:-1]))
        axes.text(x + width / 2, -0.14, f"{name}\n{size}\n{shape[-1]} ch.\n{text}", ha="center", va="top", color=INK)
        x += width + slant * height * 0.5 + 0.95
    title = f"{description.name}: {description.parameters:,} parameters, {description.depth} layers deep"
    figure.suptitle(textwrap.fill(title, int(BOLD * inches)), x=0.01, ha="left", size=11, weight="bold")
    notes = [textwrap.fill(note, int(SMALL * inches)) for note in (*description.notes(), NOTE)]
    figure.supxlabel("\n".join(notes), x=0.01, ha="left", size=8, color=GREY)
    axes.set(xlim=(-0.45, x - 0.3), ylim=(-1.25, 2.6), aspect="equal")
    axes.set_axis_off()
    save(figure, path)


def _block(axes, x, height, width, slant, colour):
    """A box seen from its front left: `width` thick, its face `height` high and leaning into the page by `slant`."""
    dx, dy = slant * height * 0.5, slant * height * 0.35
    face = [(x + width, 0), (x + width + dx, dy), (x + width + dx, dy + height), (x + width, height)]
    top = [(x, height), (x + width, height), (x + width + dx, height + dy), (x + dx, height + dy)]
    front = [(x, 0), (x + width, 0), (x + width, height), (x, height)]
    for corners, strength in ((front, 0.85), (top, 0.55), (face, 0.35)):
        axes.fill(*zip(*corners, strict=True), facecolor=colour, alpha=strength, edgecolor="white", linewidth=0.8)
