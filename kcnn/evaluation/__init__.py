"""From a fitted model and its batches to numbers, plots and one page that says what they mean."""

from kcnn.evaluation.baselines import SIDE, fit_probe, majority, some
from kcnn.evaluation.boxes import BoxTally, measure_boxes, shown_boxes
from kcnn.evaluation.calibration import calibration, fit_temperature
from kcnn.evaluation.classification import losses, measure, rightness
from kcnn.evaluation.exports import fastest
from kcnn.evaluation.exports import section as exports_section
from kcnn.evaluation.instance_masks import pasted
from kcnn.evaluation.margins import best_margin
from kcnn.evaluation.markdown import short_name, summary
from kcnn.evaluation.masks import MaskTally, shown_pictures, shown_places, tally_masks
from kcnn.evaluation.mistakes import pictured
from kcnn.evaluation.overlays import drawn_boxes, overlay, polygons, save_mask, save_picture
from kcnn.evaluation.pairing import difference
from kcnn.evaluation.predictions import Predictions, answer, as_answered, pictures, predict
from kcnn.evaluation.report import add_exports, add_robustness, add_split, read_metrics, rebuild, write_report
from kcnn.evaluation.robustness import summary as robustness_summary
from kcnn.evaluation.slices import column_groups, picture_groups, slices
from kcnn.evaluation.stored import identity_of, read_stored, store, store_masks
from kcnn.evaluation.thresholds import best_thresholds, by_thresholds
from kcnn.evaluation.tiling import tiled

__all__ = [
    "SIDE",
    "BoxTally",
    "MaskTally",
    "Predictions",
    "add_exports",
    "add_robustness",
    "add_split",
    "answer",
    "as_answered",
    "best_margin",
    "best_thresholds",
    "by_thresholds",
    "calibration",
    "column_groups",
    "difference",
    "drawn_boxes",
    "exports_section",
    "fastest",
    "fit_probe",
    "fit_temperature",
    "identity_of",
    "losses",
    "majority",
    "measure",
    "measure_boxes",
    "overlay",
    "pasted",
    "picture_groups",
    "pictured",
    "pictures",
    "polygons",
    "predict",
    "read_metrics",
    "read_stored",
    "rebuild",
    "rightness",
    "robustness_summary",
    "short_name",
    "save_mask",
    "save_picture",
    "shown_boxes",
    "shown_pictures",
    "shown_places",
    "slices",
    "some",
    "store",
    "store_masks",
    "summary",
    "tally_masks",
    "tiled",
    "write_report",
]
