"""Is a heat map to be trusted? It is held against chance, and against a network that has learned nothing.

Deletion and insertion (Petsiuk et al. 2018, RISE): the hottest places are blurred first, or come first into the blurred
image; a good map lets the score of the class fall, or rise, at once. Randomised weights (Adebayo et al. 2018, Sanity
checks for saliency maps): a map that stays the same shows the image, not what was learned.
"""

import random

import keras
import numpy as np

from kcnn.errors import UserError
from kcnn.inspection.graph import scores_of

STEPS = 20
BLUR = 1 / 8  # standard deviation, as a share of each side
SEED = 0  # of the random map, and of the first weights drawn anew
COPIES = 3  # of the network with weights drawn anew: one alone agrees or disagrees by chance
ALIKE = 0.5  # rank correlation from which maps are called alike


def sanity(model, image, heat, explain, target=None, *, score=None):
    """Figures that say how far the `heat` of `image` can be trusted, as a dict of floats.

    deletion, insertion: mean score of the class on the way from the image to its blurred self, the hottest places
        first, and on the way back; low and high are good.
    deletion_random, insertion_random: what chance gives, by a random smooth map and its reverse. The two are one
        number: blurring one map's hottest places first shows the same images as putting back the other's.
    randomised: mean rank correlation (-1 to 1) with the heat of the same network, its weights drawn anew: near 0 is
        good, near 1 says that the map ignores what was learned. None where such maps are constant.

    Args:
        model: stays as it is.
        image: (H, W, C) in the units that the model reads, or (T, C) or (D, H, W, C).
        heat: (H, W), what `explain` gave.
        explain: a function (model, image, target=index) → heat.
        target: index of the class; that of the highest score if None.
        score: a function from images (N, H, W, C) to scores (N, K); that of the model's own end if None.
    """
    image, heat = np.asarray(image, np.float32), np.asarray(heat)
    if heat.shape != image.shape[:-1]:
        raise UserError(f"heat is {heat.shape} and the image {image.shape}: give one value of heat a place")
    score, blurred = score or keras.Model(model.input, scores_of(model)), _blurred(image)
    by_heat = np.asarray(score(np.concatenate([_replaced(image, blurred, heat), _replaced(blurred, image, heat)])))
    target = int(by_heat[0].argmax()) if target is None else target
    noise = _blurred(np.random.default_rng(SEED).normal(size=(*heat.shape, 1)))[..., 0]
    by_chance = score(np.concatenate([_replaced(image, blurred, hot) for hot in (noise, -noise)]))
    deletion, insertion = _areas(by_heat, target)
    chance = sum(_areas(by_chance, target)) / 2
    others = [explain(redrawn(model, SEED + copy), image, target=target) for copy in range(COPIES)]
    alike = [found for other in others if (found := _rank_correlation(heat, np.asarray(other))) is not None]
    return {
        "deletion": deletion, "insertion": insertion, "deletion_random": chance, "insertion_random": chance,
        "randomised": float(np.mean(alike)) if alike else None,
    }  # fmt: skip


def redrawn(model, seed):
    """A copy of a functional `model` as it was before training, its weights drawn by `seed`.

    Keras takes the seeds of initializers that have none from Python's generator, which is put back afterwards.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        copy = keras.models.clone_model(model)
    finally:
        random.setstate(state)
    if hasattr(model, "level_layers"):
        copy.level_layers = model.level_layers
    return copy


def in_words(figures):
    """What the figures of `sanity` say, as one short paragraph."""
    better = (figures["deletion"] < figures["deletion_random"]) + (figures["insertion"] > figures["insertion_random"])
    verdict = ("no better than chance", "better than chance in one of the two only", "better than chance")[better]
    text = (
        "sanity: the mean score is {deletion:.2f} while the hottest places are blurred first (low is good), and "
        "{insertion:.2f} while they are put back first (high is good); random maps give {deletion_random:.2f}: "
    )
    return f"{text.format(**figures)}{verdict}. {_about_weights(figures['randomised'])}"


def _about_weights(correlation):
    if correlation is None:
        return "This map, or all of those with random weights, are constant: whether it depends on them stays open."
    verdict = "it ignores much of" if correlation >= ALIKE else "it depends on"
    return f"Its rank correlation with maps of random weights is {correlation:.2f}: {verdict} what was learned."


def _areas(scores, target):
    """The areas under the two curves of scores (2 · (STEPS + 1), K) that stand one behind the other."""
    curves = np.asarray(scores)[:, target].reshape(2, -1)
    return [float(np.trapezoid(curve, dx=1 / STEPS)) for curve in curves]


def _replaced(image, other, hot):
    """`image` with its hottest places taken from `other`: from none to all in `STEPS` steps, (STEPS + 1, ...)."""
    ties = np.random.default_rng(SEED).permutation(hot.size)
    ranks = np.empty(hot.size)
    ranks[np.lexsort((ties, -hot.ravel()))] = np.arange(hot.size) / hot.size
    ranks = ranks.reshape(hot.shape)[..., None]
    return np.stack([np.where(ranks < step / STEPS, other, image) for step in range(STEPS + 1)])


def _blurred(image):
    from scipy.ndimage import gaussian_filter

    sigma = [BLUR * side for side in image.shape[:-1]]
    return gaussian_filter(image, (*sigma, 0), mode="nearest")


def _rank_correlation(a, b):
    from scipy.stats import rankdata

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
