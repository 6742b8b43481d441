"""LIME (Ribeiro et al. 2016, Why should I trust you?), by the library of that name."""

import numpy as np

from kcnn.inspection.registry import EXPLAINERS
from kcnn.inspection.segments import SEED, Segments, needs

SAMPLES, WIDTH = 400, 0.25  # pictures with segments hidden at random, and how near such a one must be to count


@EXPLAINERS.register("lime")
def lime(model, image, *, target=None, level=None):
    """LIME: how much each segment of the picture adds in a linear model of the answers where some are hidden.

    Arguments and the heat (H, W) are those of `grad_cam`; there is no level. It asks nothing but answers of the model.
    """
    needs("lime")
    from lime.lime_base import LimeBase

    parts, rng = Segments(model, image, target), np.random.RandomState(SEED)
    shown = rng.randint(0, 2, (SAMPLES, parts.count))
    shown[0] = 1
    distances = 1 - np.sqrt(shown.mean(1))  # of the cosine to the whole picture
    base = LimeBase(lambda far: np.sqrt(np.exp(-((far / WIDTH) ** 2))), random_state=rng)
    _, found, _, _ = base.explain_instance_with_data(
        shown, parts.values(shown)[:, None], distances, 0, parts.count, feature_selection="none"
    )
    weights = np.zeros(parts.count)
    weights[[place for place, _ in found]] = [weight for _, weight in found]
    return parts.heat(weights)
