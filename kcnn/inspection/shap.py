"""SHAP (Lundberg & Lee 2017, A unified approach to interpreting model predictions), by the library of that name."""

import numpy as np

from kcnn.inspection.registry import EXPLAINERS
from kcnn.inspection.segments import SEED, Segments, needs

SAMPLES = 400  # pictures with segments hidden


@EXPLAINERS.register("shap")
def shap(model, image, *, target=None, level=None):
    """SHAP: each segment's share of the answer, the mean of what it adds over all orders of showing segments.

    Arguments and the heat (H, W) are those of `grad_cam`; there is no level. It asks nothing but answers of the model.
    """
    needs("shap")
    found, _ = shares(Segments(model, image, target))
    return found


def shares(parts):
    """(the heat of `Segments`, each segment's share (count,)), by kernel SHAP: they sum to what the whole adds."""
    from shap import KernelExplainer

    state = np.random.get_state()  # the library draws from NumPy's own generator
    np.random.seed(SEED)
    try:
        explainer = KernelExplainer(parts.values, np.zeros((1, parts.count)))
        found = explainer.shap_values(np.ones((1, parts.count)), nsamples=SAMPLES, l1_reg=False, silent=True)[0]
    finally:
        np.random.set_state(state)
    return parts.heat(found), found
