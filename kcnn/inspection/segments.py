"""A picture as segments that may be left out, for explainers that ask nothing but answers: LIME and SHAP."""

from importlib.util import find_spec

import numpy as np

from kcnn.errors import UserError
from kcnn.inspection.class_activation import normalized
from kcnn.inspection.evidence import TOGETHER, asker

SEGMENTS = 50  # about so many
SEED = 0


class Segments:
    """The segments of `image` (H, W, C), and what is left of the class when some are hidden; also of other ranks.

    Segments are those of SLIC (Achanta et al. 2012), of signals equal lengths. A hidden one has the mean colour.
    """

    def __init__(self, model, image, target):
        self.image = np.asarray(image, np.float32)
        self.ask = asker(model, self.image, target)
        self.labels = _labels(self.image)
        self.count = int(self.labels.max()) + 1

    def values(self, shown):
        """What speaks for the class, float64 (N,), where segments are `shown`, (N, count) of 1 and 0."""
        mean = self.image.mean(tuple(range(self.image.ndim - 1)))
        found = []
        for start in range(0, len(shown), TOGETHER):
            masks = np.asarray(shown[start : start + TOGETHER])[:, self.labels, None] > 0.5
            found.append(self.ask(np.where(masks, self.image, mean)))
        return np.concatenate(found).astype(np.float64)

    def heat(self, weights):
        """The heat (H, W) of segments with these `weights` (count,): what speaks for the class, from 0 to 1."""
        return normalized(np.maximum(weights, 0).astype(np.float32)[self.labels])


def needs(package):
    """Refuse to go on without a library of the extra "explain"."""
    if find_spec(package) is None:
        raise UserError(f"the explainer {package} needs the library of that name: pip install 'kcnn[explain]'")


def _labels(image):
    """The number of each place's segment, from 0."""
    if image.ndim == 2:
        return np.arange(len(image)) * min(SEGMENTS, len(image)) // len(image)
    from skimage.segmentation import slic

    low, high = image.min(), image.max()
    grey = (image - low) / max(high - low, 1e-6)
    found = slic(grey, SEGMENTS, compactness=0.3, channel_axis=-1, convert2lab=False, start_label=0)
    return np.unique(found, return_inverse=True)[1].reshape(image.shape[:-1])
