"""Many small pictures on one sheet, in a grid that is nearly square."""

import math
import textwrap

from kcnn.evaluation.theme import INK, new_figure, plain, save, styled

GAP, CAPTION = 0.12, 0.24  # between tiles, and for the line above each, as shares of a tile's longer side
INCHES, LARGEST, LEAST = 0.95, 2.4, 3.2  # of a tile's longer side, where tiles are many or few; of a sheet's width
BOLD = 11  # letters of a title on an inch


@styled
def draw_tiles(tiles, path, title):
    """Write a PNG at `path`: all of `tiles` [(caption, tile)], which are of one shape, below `title`.

    A tile is (h, w), from black to white, or (h, w, 3) in colours; values lie in [0, 1].
    """
    height, width = tiles[0][1].shape[:2]
    height, width = height / max(height, width), width / max(height, width)
    columns = _columns(len(tiles), height / width)
    rows = math.ceil(len(tiles) / columns)
    across, down = width + GAP, height + GAP + CAPTION
    inches = min(max(INCHES, LEAST / (columns * across)), LARGEST)
    sheet = max(inches * columns * across, LEAST)
    lines = textwrap.wrap(title, int(BOLD * sheet))
    figure = new_figure(sheet, inches * rows * down + 0.25 + 0.2 * len(lines))
    axes = figure.subplots()
    for i, (caption, tile) in enumerate(tiles):
        x, y = i % columns * across, i // columns * down + CAPTION
        axes.imshow(tile, extent=(x, x + width, y + height, y), cmap="gray", vmin=0, vmax=1)
        axes.text(x, y - 0.04, plain(caption), fontsize=8, color=INK, va="bottom")
    axes.set(xlim=(0, columns * across - GAP), ylim=(rows * down - GAP, 0), aspect="equal")
    axes.set_axis_off()
    figure.suptitle(plain("\n".join(lines)), x=0.04 / sheet, ha="left", size=11, weight="bold")
    save(figure, path)


def _columns(count, slenderness):
    """How many columns make a sheet of `count` tiles, so many times as high as wide, nearly square and full."""
    least = math.sqrt(count * slenderness)
    full = (n for n in range(math.ceil(least), int(1.5 * least) + 1) if count % n == 0)
    return min(next(full, math.ceil(least)), count)
