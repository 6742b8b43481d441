"""The table of export formats."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from kcnn.registry import Registry

EXPORTERS = Registry("export format")


@dataclass(frozen=True)
class Exporter:
    """One format.

    file: name of what is written, with its extension; description: one line for lists and forms;
    write: (model, head, facts, path, images) → None, with (N, H, W, C) sample pictures;
    load: (path, head, facts) → {way to ask: images → {"label": (N,) names, "scores": (N, K)}, of a segmenter {"mask",
    "score": (N, places…)}, of a detector {"boxes", "scores", "classes", "count"}}, from the written file alone, the
    fastest way first; needs: packages beyond kcnn's own; agreement: the share of labels (of pictures, places, objects)
    that must be the model's, for formats that round; None for those that must give its scores.
    """

    file: str
    description: str
    write: Callable
    load: Callable
    needs: tuple[str, ...] = ()
    agreement: float | None = None

    @property
    def absent(self):
        """Those of the packages it needs that are not there."""
        return [package for package in self.needs if find_spec(package) is None]
