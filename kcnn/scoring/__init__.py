"""Scoring: a session's model on its splits, by what its head answers in, and the report of what came out."""

from kcnn.scoring.reporting import (
    JUDGED,
    SEEN,
    finish,
    kept_frames,
    log_use,
    report_so_far,
    reported,
    score,
    score_again,
    scorer,
    settled,
    uses,
)

__all__ = [
    "JUDGED",
    "SEEN",
    "finish",
    "kept_frames",
    "log_use",
    "report_so_far",
    "reported",
    "score",
    "score_again",
    "scorer",
    "settled",
    "uses",
]
