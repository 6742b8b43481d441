"""Adversarial pictures: changed by at most so many grey levels a value, so as to raise the head's own loss.

Each attack takes a function `ascent` from pictures (N, H, W, C) float32, 0 to 255, to the gradient of the loss there,
the pictures, the largest change in grey levels, and a random generator; it gives pictures of the same range.
"""

import numpy as np

from kcnn.registry import Registry

ATTACKS = Registry("attack")
EPSILONS = (0.5, 1.0, 2.0, 4.0, 8.0)  # grey levels of 255
STEPS, STEP = 10, 0.25  # of projected gradient ascent, and the length of one as a share of the largest change


@ATTACKS.register("fgsm")
def fgsm(ascent, images, epsilon, rng):
    """The fast gradient sign method (Goodfellow et al. 2015): one step, of the whole length."""
    return np.clip(images + epsilon * np.sign(ascent(images)), 0, 255)


@ATTACKS.register("pgd")
def pgd(ascent, images, epsilon, rng):
    """Projected gradient ascent (Madry et al. 2018): ten steps of a quarter from a random place within reach."""
    low, high = np.maximum(images - epsilon, 0), np.minimum(images + epsilon, 255)
    changed = np.clip(images + rng.uniform(-epsilon, epsilon, images.shape).astype(np.float32), low, high)
    for _ in range(STEPS):
        changed = np.clip(changed + STEP * epsilon * np.sign(ascent(changed)), low, high)
    return changed
