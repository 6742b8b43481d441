"""From a model to what it looks at, the vector it sees there, what it costs, and what each place of it sees.

`EXPLAINERS` holds the ways to ask: functions (model, image (H, W, C), *, target=None, level=None) → heat (H, W) in
[0, 1], how much each place of the image speaks for one class. `sanity` says how far such a map can be trusted.
`VIEWS` holds what else there is to see, in tiles that `draw_tiles` puts on a sheet.
"""

from kcnn.inspection.box_question import box_question
from kcnn.inspection.class_activation import grad_cam, grad_cam_plus_plus, layer_cam
from kcnn.inspection.costs import activation_bytes, depth, multiply_adds
from kcnn.inspection.description import Description, describe
from kcnn.inspection.drawing import draw_stages
from kcnn.inspection.dreams import inverted
from kcnn.inspection.features import features
from kcnn.inspection.fields import Field, receptive_fields
from kcnn.inspection.input_gradients import attributions, integrated_gradients, saliency, smooth_grad
from kcnn.inspection.lime import lime
from kcnn.inspection.occlusion import occlusion
from kcnn.inspection.overlay import save_overlay
from kcnn.inspection.registry import EXPLAINERS, VIEWS
from kcnn.inspection.sanity import in_words, sanity
from kcnn.inspection.shap import shap
from kcnn.inspection.shelf import shelf
from kcnn.inspection.tiles import draw_tiles
from kcnn.inspection.views import View

__all__ = [
    "EXPLAINERS",
    "VIEWS",
    "Description",
    "Field",
    "View",
    "activation_bytes",
    "attributions",
    "box_question",
    "depth",
    "describe",
    "draw_stages",
    "draw_tiles",
    "features",
    "grad_cam",
    "grad_cam_plus_plus",
    "in_words",
    "integrated_gradients",
    "inverted",
    "layer_cam",
    "lime",
    "multiply_adds",
    "occlusion",
    "receptive_fields",
    "saliency",
    "sanity",
    "save_overlay",
    "shap",
    "shelf",
    "smooth_grad",
]
