"""What losses of boxes count, against plain NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from kcnn.heads.anchor_head import smooth_l1
from kcnn.heads.faster_rcnn import chances
from kcnn.heads.mask_rcnn import SIDE, drawn_in
from kcnn.heads.retinanet import focal_loss
from kcnn.heads.ssd import hardest
from kcnn.models import head_of


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_focal_loss_is_that_of_the_paper(rng):
    logits, wanted = rng.normal(0, 3, (4, 5)), rng.integers(0, 2, (4, 5)).astype(float)
    chance = sigmoid(logits)
    right = np.where(wanted, chance, 1 - chance)
    expected = np.where(wanted, 0.25, 0.75) * (1 - right) ** 2 * -np.log(right)
    np.testing.assert_allclose(focal_loss(tf.constant(wanted), tf.constant(logits)), expected, rtol=1e-6)


def test_smooth_l1_is_quadratic_near_0_and_goes_on_straight():
    values = np.array([[0.05, -0.05, 0.0, 0.0], [1.0, -2.0, 0.1, 0.0]])
    expected = [2 * 0.5 * 0.05**2 / 0.1, (1 - 0.05) + (2 - 0.05) + 0.05]
    np.testing.assert_allclose(smooth_l1(tf.constant(values), 0.1), expected, rtol=1e-6)


def test_the_hardest_are_the_largest_and_none_where_nothing_is_positive(rng):
    losses = rng.uniform(0.1, 1, (3, 9))
    losses[0, :2] = -1  # positive ones do not compete
    found = hardest(tf.constant(losses), tf.constant([3.0, 0.0, 20.0], tf.float64)).numpy()
    assert set(np.flatnonzero(found[0])) == set(np.argsort(-losses[0])[:3])
    assert not found[1].any() and found[2].all()


def test_places_count_by_the_chance_of_being_drawn():
    positive = tf.constant([[True] * 4 + [False] * 6, [True] + [False] * 9])
    share, drawn = chances(positive, ~positive, 4, 0.5)
    np.testing.assert_allclose(share[0], [0.5] * 4 + [2 / 6] * 6, rtol=1e-6)  # 2 of 4, and 2 of 6
    np.testing.assert_allclose(share[1], [1] + [3 / 9] * 9, rtol=1e-6)  # what positive ones leave goes to others
    np.testing.assert_allclose(drawn, [4, 4])
    none, drawn = chances(positive & False, positive & False, 4, 0.5)
    assert not none.numpy().any() and (drawn.numpy() == 1).all()


def test_distances_are_learned_by_the_two_bins_beside_them(rng):
    head = head_of("yolo", num_classes=2, bins=6)
    bins = rng.normal(size=(1, 3, 4, 6))
    distances = np.array([[[3.0, 8, 0, 12], [100, 2, 4, 4], [5, 5, 5, 5]]])
    places = type("Places", (), {"strides": tf.constant([4.0, 4, 8], tf.float64)})
    found = head._distance_loss(tf.constant(bins), tf.constant(distances), places).numpy()
    logs = bins - np.log(np.exp(bins).sum(-1, keepdims=True))
    for place, stride in enumerate((4, 4, 8)):
        cells = np.clip(distances[0, place] / stride, 0, 5 - 1e-3)
        low = cells.astype(int)
        rows = logs[0, place]
        expected = [
            -(1 - c + k) * rows[i, k] - (c - k) * rows[i, k + 1]
            for i, (c, k) in enumerate(zip(cells, low, strict=True))
        ]
        assert found[0, place] == pytest.approx(np.mean(expected), rel=1e-6)


def test_an_outline_is_drawn_in_the_box_that_learns_it():
    masks = np.zeros((1, 2, 32, 32), np.float32)
    masks[0, 1, 8:24, 8:16] = 1
    boxes = tf.constant([[[8.0, 8, 24, 24], [8, 8, 16, 24], [-8, 8, 8, 24]]])
    found = drawn_in(tf.constant(masks), tf.constant([[1, 1, 0]]), boxes).numpy()[0]
    half = np.zeros((SIDE, SIDE))
    half[:, : SIDE // 2] = 1
    assert abs(found[0] - half).mean() < 0.05 and found[1].mean() > 0.95 and not found[2].any()


@pytest.mark.parametrize("name", ["yolo", "retinanet", "ssd"])
def test_a_loss_is_divided_by_what_it_was_summed_over(name, rng):
    """Two objects far apart have about twice the sum and the weight of one: of a mean neither would change."""
    from kcnn.models import build_model

    head = head_of(name, num_classes=2, filters=8)
    model = build_model("resnet_toy", head, input_shape=(96, 96, 3), stem="standard")
    outputs = model(np.full((2, 96, 96, 3), 100, "float32"), training=False)
    one, two = [8.0, 8, 40, 40], [56.0, 56, 88, 88]
    boxes = tf.constant([[one, [0.0] * 4], [one, two]])
    targets = head.targets({"boxes": boxes, "classes": tf.constant([[0, -1], [0, 0]])})
    total, weight = (part.numpy() for part in head.loss(targets, outputs))
    assert weight[0] > 0 and weight[1] / weight[0] == pytest.approx(2, rel=0.35)
    assert 1.2 < total[1] / total[0] < 2.5
