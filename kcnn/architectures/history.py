"""Where a family stands among the others: when and by whom it came, from what, and what it changed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class History:
    """One step in the history of convolutional networks.

    year, paper: of its first publication, often a preprint a year before the proceedings. ancestor: the architecture to
    compare with, of like size where there is one, or None. change: against that one, in a few words.
    """

    year: int
    paper: str
    ancestor: str | None
    change: str


def of_name(name, history):
    """The `History` of `name`: `history` itself, or that under the longest key with which `name` begins."""
    if not isinstance(history, dict):
        return history
    return history[max((start for start in history if name.startswith(start)), key=len)]
