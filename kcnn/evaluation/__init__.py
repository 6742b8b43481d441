"""From a fitted model and its batches to numbers, plots and one page that says what they mean."""

from kcnn.evaluation.classification import measure
from kcnn.evaluation.predictions import Predictions, answer, pictures, predict
from kcnn.evaluation.report import add_split, read_metrics, rebuild, write_report

__all__ = [
    "Predictions",
    "add_split",
    "answer",
    "measure",
    "pictures",
    "predict",
    "read_metrics",
    "rebuild",
    "write_report",
]
