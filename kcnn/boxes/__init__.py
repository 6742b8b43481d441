"""Box geometry: formats, overlaps, anchors, encoding, matching, suppression; pure functions on padded dense tensors.

Boxes are (..., 4) x0, y0, x1, y1 in pixels: edges, not centres of pixels. Where a tensor of objects has room to spare,
their class is -1.
"""

from kcnn.boxes.anchors import Shapes, anchor_boxes, cell_centres
from kcnn.boxes.coding import boxes_at, decoded, distances_from, encoded
from kcnn.boxes.formats import centre_size, clipped, converted, corners
from kcnn.boxes.matching import Match, match_by_overlap, match_by_task
from kcnn.boxes.overlap import areas, ciou, giou, iou, pairwise_iou
from kcnn.boxes.regions import align
from kcnn.boxes.suppression import candidates, survivors

__all__ = [
    "Match",
    "Shapes",
    "align",
    "anchor_boxes",
    "areas",
    "boxes_at",
    "candidates",
    "cell_centres",
    "centre_size",
    "ciou",
    "clipped",
    "converted",
    "corners",
    "decoded",
    "distances_from",
    "encoded",
    "giou",
    "iou",
    "match_by_overlap",
    "match_by_task",
    "pairwise_iou",
    "survivors",
]
