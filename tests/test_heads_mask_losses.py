"""Do the losses of masks equal slow references that go place by place, also where little or nothing is judged?"""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.errors import UserError
from kcnn.heads.gaps import gap_weights
from kcnn.heads.mask_losses import MASK_LOSSES
from kcnn.heads.masks import MaskHead
from kcnn.masks import IGNORE

K = 4
WEIGHTS = (0.5, 1.0, 2.0, 0.0)
SHAPES = [(9, 11), (23,), (5, 6, 4)]
CASES = [
    ("cross_entropy", {}),
    ("cross_entropy", {"label_smoothing": 0.1, "class_weights": WEIGHTS}),
    ("focal", {}),
    ("focal", {"gamma": 0.5, "class_weights": WEIGHTS}),
    ("boundary", {"boundary": (3.0, 1.5)}),
    ("dice", {}),
    ("jaccard", {}),
    ("jaccard", {"class_weights": WEIGHTS}),
    ("tversky", {}),
    ("tversky", {"tversky": (0.6, 0.1)}),
    ("cross_entropy + 0.5*focal", {}),
    ("cross_entropy+dice", {"label_smoothing": 0.1}),
    ("0.5*dice + 2 * boundary", {"boundary": (3.0, 1.5)}),
]


@pytest.fixture(params=SHAPES, ids=str)
def answers(request, rng):
    """(mask with ignored places, without class 2 in picture 1, all ignored in picture 2; logits; sample weights)."""
    shape = (5, *request.param)
    mask = rng.integers(0, K, shape).astype("uint8")
    mask[1][mask[1] == 2] = 0
    mask[rng.uniform(size=shape) < 0.2] = IGNORE
    mask[2] = IGNORE
    mask[3][mask[3] != 1] = IGNORE
    return mask, rng.normal(0, 3, (*shape, K)).astype("float32"), np.float32([1, 0.3, 1, 2, 0])


def chances_of(logits):
    e = np.exp(np.float64(logits) - logits.max())
    return e / e.sum()


def gap_of(place, things):
    """The shortest way from thing to thing across `place`, along the axes and diagonals, step by step."""

    def far(direction):
        there, n = np.array(place), 0
        while True:
            there, n = there + direction, n + 1
            if (there < 0).any() or (there >= things.shape).any():
                return math.inf
            if things[tuple(there)]:
                return n * math.hypot(*direction)

    ways = [np.array(way) for way in itertools.product((-1, 0, 1), repeat=things.ndim) if any(way)]
    return min(far(way) + far(-way) for way in ways)


def at_place(name, place, mask, logits, head):
    """The loss of one place."""
    truth, p = mask[place], chances_of(logits[place])
    weight = head.class_weights[truth] if head.class_weights else 1
    if name == "focal":
        return -weight * (1 - p[truth]) ** head.gamma * np.log(p[truth])
    target = np.eye(K)[truth] * (1 - head.label_smoothing) + head.label_smoothing / K
    if name == "boundary" and truth == 0:
        strength, sigma = head.boundary
        gap = gap_of(place, (mask > 0) & (mask != IGNORE))
        weight *= 1 + strength * np.exp(-(gap**2) / (2 * sigma**2))
    return -weight * (target * np.log(p)).sum()


def of_region(name, places, mask, logits, head):
    """The loss of a picture."""
    losses, weights = [], []
    for c in range(K):
        p = [chances_of(logits[place])[c] for place in places]
        t = [mask[place] == c for place in places]
        hit, said, there = np.dot(p, t), sum(p), sum(t)
        if not there:
            continue
        alpha, beta = head.tversky
        losses.append(
            {
                "dice": 1 - 2 * hit / (said + there),
                "jaccard": 1 - hit / (said + there - hit),
                "tversky": 1 - hit / (hit + alpha * (said - hit) + beta * (there - hit)),
            }[name]
        )
        weights.append(head.class_weights[c] if head.class_weights else 1)
    return np.dot(losses, weights) / sum(weights) if sum(weights) else 0


def reference(head, mask, logits, sample_weight):
    """(sum, weight) of one picture."""
    terms = [term.split("*") for term in head.objective.replace(" ", "").split("+")]
    terms = [(float(term[0]) if len(term) > 1 else 1.0, term[-1]) for term in terms]
    places = [place for place in np.ndindex(mask.shape) if mask[place] != IGNORE]
    regional = any(MASK_LOSSES[name].regional for _, name in terms)
    if not places:
        return 0, 0
    total = 0
    for share, name in terms:
        if MASK_LOSSES[name].regional:
            total += share * of_region(name, places, mask, logits, head)
        else:
            each = sum(at_place(name, place, mask, logits, head) for place in places)
            total += share * (each / len(places) if regional else each)
    return total * sample_weight, sample_weight * (1 if regional else len(places))


def test_all_losses_are_tried():
    assert len(MASK_LOSSES) >= 6 and all(any(name in case for case, _ in CASES) for name in MASK_LOSSES)


@pytest.mark.parametrize("objective, options", CASES, ids=str)
def test_equal_to_the_reference_with_finite_gradients(answers, objective, options):
    mask, logits, weights = answers
    head = MaskHead(K, objective, **options)
    targets = head.targets({"mask": mask, "weight": weights})
    outputs = tf.Variable(logits)
    with tf.GradientTape() as tape:
        total, weight = head.loss(targets, outputs)
    assert total.shape == weight.shape == (len(mask),) and total.dtype == "float32"
    expected = np.array([reference(head, *picture) for picture in zip(mask, logits, weights, strict=True)])
    np.testing.assert_allclose(total, expected[:, 0], rtol=2e-5, atol=1e-5)
    np.testing.assert_allclose(weight, expected[:, 1], rtol=1e-6)
    gradient = tape.gradient(total, outputs).numpy()
    assert np.isfinite(gradient).all() and np.abs(gradient[0]).max() > 0
    assert not gradient[mask == IGNORE].any() and not gradient[4].any()


@pytest.mark.parametrize("objective", MASK_LOSSES)
def test_right_answers_cost_nothing_and_extreme_ones_stay_finite(objective):
    mask = np.arange(2 * 6 * 6, dtype="uint8").reshape(2, 6, 6) % 3
    logits = tf.Variable(1e4 * np.eye(3, dtype="float32")[mask])
    head = MaskHead(3, objective)
    total, _ = head.loss(head.targets({"mask": mask}), logits)
    np.testing.assert_allclose(total, 0, atol=1e-5)
    with tf.GradientTape() as tape:
        total, _ = head.loss(head.targets({"mask": mask}), -logits)
    assert np.isfinite(total).all() and (total.numpy() > 0.5).all()
    assert np.isfinite(tape.gradient(total, logits)).all()


def test_float64_is_kept(answers):
    mask, logits, weights = answers
    head = MaskHead(K, "cross_entropy + dice")
    assert head.loss(head.targets({"mask": mask}), np.float64(logits))[0].dtype == "float64"


def test_narrow_gaps_weigh_and_open_ground_does_not():
    """Across a gap of three places between two bars, and not beside them: as d1 + d2 of the paper there."""
    mask = np.zeros((1, 40, 61), "int32")
    mask[:, :, 25:29], mask[:, :, 32:36] = 1, 2
    found = keras.ops.convert_to_numpy(gap_weights(mask, 10.0, 5.0))[0]
    np.testing.assert_allclose(found[:, 29:32], 10 * np.exp(-(4**2) / 50), rtol=1e-5)
    assert not found[:, 25:29].any() and not found[:, :25].any() and not found[:, 36:].any()


@pytest.mark.parametrize(
    "options, words",
    [
        ({"num_classes": 1}, "masks have from 2 to 255 classes"),
        ({"num_classes": 256}, "masks have from 2 to 255 classes"),
        ({"objective": ""}, "must be a sum of losses"),
        ({"objective": "crossentropy"}, "unknown mask loss 'crossentropy': did you mean 'cross_entropy'"),
        ({"objective": "dice + x*focal"}, "'x' must be a number above 0, as in '0.5\\*focal'"),
        ({"objective": "-1*dice"}, "'-1' must be a number above 0"),
        ({"objective": "dice", "label_smoothing": 0.1}, "has no use for it; leave it out, or add cross_entropy"),
        ({"label_smoothing": 1}, "label_smoothing is 1: it must be a number from 0 to below 1"),
        ({"dropout": "a"}, "dropout is 'a': it must be a number from 0 to below 1"),
        ({"gamma": -1}, "gamma is -1: it must be a number of 0 or more"),
        ({"gamma": 0.0}, "gamma is 0.0: the objective 'cross_entropy' has no use for it; leave it out, or add focal"),
        ({"objective": "dice", "tversky": (0.5, 0.5)}, "has no use for it; leave it out, or add tversky"),
        ({"boundary": (1.0, 2.0)}, "has no use for it; leave it out, or add boundary"),
        ({"class_weights": 2.0}, "class_weights is 2.0: it must be a list of numbers, one a class"),
        ({"class_weights": (1.0, 2.0)}, "class_weights has 2 values for 3 classes"),
        ({"class_weights": (1.0, -2.0, 1.0)}, "class_weights is -2.0: it must be a number of 0 or more"),
        ({"class_weights": (0.0, 0.0, 0.0)}, "class_weights are all 0"),
        ({"tversky": (0.0, 0.5)}, "alpha and beta must be above 0"),
        ({"tversky": 0.5}, "tversky is 0.5: it must be two numbers"),
        ({"boundary": (10.0, 0.0)}, "sigma, its second number, must be above 0"),
    ],
    ids=str,
)
def test_mistakes_are_refused(options, words):
    with pytest.raises(UserError, match=words) as caught:
        MaskHead(**{"num_classes": 3, **options})
    assert "\n" not in str(caught.value)
