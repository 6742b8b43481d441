"""From a fitted model to pictures of what it looks at, and the vector it sees there.

`EXPLAINERS` holds the ways to ask: functions (model, image (H, W, C), *, target=None, level=None) → heat (H, W) in
[0, 1], how much each place of the image speaks for one class.
"""

from kcnn.inspection.features import features
from kcnn.inspection.grad_cam import grad_cam
from kcnn.inspection.overlay import save_overlay
from kcnn.inspection.registry import EXPLAINERS

__all__ = ["EXPLAINERS", "features", "grad_cam", "save_overlay"]
