"""The table of export formats."""

from collections.abc import Callable
from dataclasses import dataclass

from kcnn.registry import Registry

EXPORTERS = Registry("export format")


@dataclass(frozen=True)
class Exporter:
    """One format.

    file: name of what is written, with its extension; description: one line for lists and forms;
    write: (model, head, facts, path, images) → None, with (N, H, W, C) sample pictures;
    load: (path, head, facts) → {way to ask: images → {"label": (N,) names, "scores": (N, K)}, of a segmenter {"mask",
    "score": (N, places…)}}, from the written file alone, the fastest way first; needs: packages beyond kcnn's own.
    """

    file: str
    description: str
    write: Callable
    load: Callable
    needs: tuple[str, ...] = ()
