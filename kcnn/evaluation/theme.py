"""One quiet look for every figure: colours that colour-blind people tell apart, few lines, small files.

Figures are plain `matplotlib.figure.Figure` objects: nothing touches pyplot's global state, so that they can be drawn
from any thread and any program.
"""

import io

from kcnn.disk import write_atomically

BLUE, ORANGE, GREEN, RED, GREY, INK = "#0072B2", "#D55E00", "#009E73", "#B2182B", "#8A8F98", "#22262B"
SEQUENTIAL = "Blues"
DPI = 110

STYLE = {
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": "#C9CDD3",
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": "#E6E8EB",
    "xtick.color": "#555B63",
    "ytick.color": "#555B63",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "font.family": "DejaVu Sans",
}


def styled(draw):
    """Decorator: call `draw` under the theme, which is undone afterwards."""
    from functools import wraps

    @wraps(draw)
    def drawn(*args, **kwargs):
        import matplotlib

        with matplotlib.rc_context(STYLE):
            return draw(*args, **kwargs)

    return drawn


def new_figure(width, height):
    """An empty figure of `width` × `height` inches, laid out so that labels do not overlap."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def save(figure, path):
    """Write `figure` as a PNG at `path`, the same bytes for the same figure; raises `WriteError` if that fails."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    content = io.BytesIO()
    FigureCanvasAgg(figure).print_png(content, metadata={"Software": None})
    write_atomically(path, content.getvalue())


def plain(text):
    """`text` with the dollar signs that matplotlib would read as mathematics made literal."""
    return str(text).replace("$", r"\$")


def shortened(text, most=24):
    """`text` cut in the middle to `most` characters: file names differ at both ends."""
    text = str(text)
    return text if len(text) <= most else f"{text[: most // 2 - 1]}…{text[-(most - most // 2) :]}"
