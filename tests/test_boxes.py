"""Box geometry against slow references, Keras's functions and what the papers say."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcnn import boxes as geometry
from kcnn.errors import UserError
from tests.references import boxes as reference

SIDE = 24
SEEDS = st.integers(0, 2**32 - 1)
quick = settings(max_examples=40, deadline=None)


def drawn(rng, *shape, whole=True):
    """Boxes (*shape, 4) within SIDE pixels, mostly of whole pixels, so that ties and touching edges occur."""
    ends = np.sort(rng.uniform(0, SIDE, (*shape, 2, 2)), -2).reshape(*shape, 4)
    return (np.rint(ends) if whole else ends).astype("float32")


def classes_of(rng, *shape):
    return rng.integers(-1, 3, shape).astype("int32")


def same(found, expected, tolerance=1e-5):
    np.testing.assert_allclose(np.asarray(found), expected, atol=tolerance, rtol=tolerance)


@quick
@given(SEEDS)
def test_overlaps_equal_the_reference_and_keras(seed):
    rng = np.random.default_rng(seed)
    a, b = drawn(rng, 2, 5), drawn(rng, 2, 4, whole=False)
    expected = [[[reference.iou(x, y) for y in second] for x in first] for first, second in zip(a, b, strict=True)]
    same(geometry.pairwise_iou(a, b), expected)
    same(keras.utils.bounding_boxes.compute_iou(a, b, "xyxy"), expected)
    same(geometry.iou(a[:, :4], b), np.diagonal(np.array(expected)[:, :4], axis1=1, axis2=2))
    shares = geometry.pairwise_iou(a, a, over="first")
    same(np.diagonal(shares, axis1=1, axis2=2), np.asarray(geometry.areas(a)) > 0)


@quick
@given(SEEDS)
def test_ciou_equals_keras(seed):
    rng = np.random.default_rng(seed)
    a, b = drawn(rng, 8, whole=False) + [0, 0, 1, 1], drawn(rng, 8, whole=False) + [0, 0, 1, 1]
    a, b = a.astype("float32"), b.astype("float32")
    same(geometry.ciou(a, b), keras.utils.bounding_boxes.compute_ciou(a, b, "xyxy"), 1e-4)


def test_giou_is_that_of_the_paper():
    a = np.array([[0, 0, 2, 2], [0, 0, 1, 1], [0, 0, 2, 2]], "float32")
    b = np.array([[0, 0, 2, 2], [2, 0, 3, 1], [1, 1, 3, 3]], "float32")
    same(geometry.giou(a, b), [1, -1 / 3, 1 / 7 - 2 / 9])


@pytest.mark.parametrize("figure", [geometry.iou, geometry.giou, geometry.ciou])
def test_boxes_without_area_have_finite_overlaps_and_gradients(figure):
    import tensorflow as tf

    boxes = tf.constant([[3.0, 3, 3, 3], [5, 5, 2, 2], [0, 0, 4, 4]])
    others = tf.constant([[3.0, 3, 3, 3], [0, 0, 4, 4], [4, 4, 4, 9]])
    with tf.GradientTape() as tape:
        tape.watch(boxes)
        value = figure(boxes, others)
    assert np.isfinite(value).all() and np.isfinite(tape.gradient(value, boxes)).all()


@quick
@given(SEEDS)
def test_what_is_encoded_is_decoded(seed):
    rng = np.random.default_rng(seed)
    boxes, anchors = drawn(rng, 2, 6, whole=False) + [0, 0, 1, 1], drawn(rng, 6) + [0, 0, 2, 2]
    boxes, anchors = boxes.astype("float32"), anchors.astype("float32")
    variances = (0.1, 0.1, 0.2, 0.2)
    same(geometry.decoded(geometry.encoded(boxes, anchors, variances), anchors, variances), boxes, 1e-3)
    points = anchors[:, :2]
    same(geometry.boxes_at(points, geometry.distances_from(points, boxes)), boxes, 1e-3)
    same(geometry.corners(*geometry.centre_size(boxes)), boxes, 1e-4)
    deltas = keras.utils.bounding_boxes.encode_box_to_deltas(
        anchors, boxes, "xyxy", "xyxy", variance=list(variances), image_shape=(SIDE, SIDE, 3)
    )
    same(geometry.encoded(boxes, anchors, variances), np.asarray(deltas)[..., [1, 0, 3, 2]], 1e-3)  # Keras: y before x


def test_wild_deltas_and_tiny_boxes_stay_finite():
    anchors = np.array([[0, 0, 8, 8]], "float32")
    assert np.isfinite(geometry.decoded(np.full((1, 4), 1e4, "float32"), anchors)).all()
    assert np.isfinite(geometry.encoded(np.array([[3, 3, 3, 3]], "float32"), anchors)).all()


def test_formats_and_edges():
    boxes = np.array([[2, 3, 6, 11]], "float32")
    same(geometry.converted(boxes, "xyxy", "xywh"), [[2, 3, 4, 8]])
    same(geometry.converted(np.array([[0.5, 0.5, 0.2, 0.1]]), "rel_center_xywh", "xyxy", 100, 200), [[80, 45, 120, 55]])
    same(geometry.clipped(boxes - 4, 5, 1), [[0, 0, 1, 5]])
    assert float(geometry.areas(geometry.clipped(boxes + 90, 50, 60))[0]) == 0


def test_anchors_lie_on_the_centres_of_cells():
    shapes = geometry.Shapes.by_ratio(8, [16], [0.5, 1, 2])
    found = np.asarray(geometry.anchor_boxes(2, 3, shapes)).reshape(2, 3, 3, 4)
    centres, sizes = map(np.asarray, geometry.centre_size(found))
    same(centres[1, 2], [[20, 12]] * 3)
    same(sizes[0, 0].prod(-1), [256] * 3)
    same(sizes[0, 0, :, 1] / sizes[0, 0, :, 0], [0.5, 1, 2])
    with pytest.raises(UserError, match="must be above 0"):
        geometry.Shapes(8, ((4.0, 0.0),))


@quick
@given(SEEDS, st.booleans())
def test_matching_by_overlap_equals_the_reference(seed, rescue):
    rng = np.random.default_rng(seed)
    anchors, boxes, classes = drawn(rng, 12), drawn(rng, 2, 4), classes_of(rng, 2, 4)
    found = geometry.match_by_overlap(anchors, boxes, classes, 0.5, 0.3, rescue)
    for b in range(2):
        expected = reference.matched(anchors, boxes[b], classes[b], 0.5, 0.3, rescue)
        for part, wanted in zip(found, expected, strict=False):
            np.testing.assert_array_equal(np.asarray(part)[b], wanted)


@quick
@given(SEEDS, st.integers(1, 12), st.sampled_from([2.0, 6.0]), st.sampled_from([0.0, 4.0]))
def test_matching_by_task_equals_the_reference(seed, most, beta, narrowest):
    rng = np.random.default_rng(seed)
    scores, guesses = rng.uniform(0.01, 1, (2, 9, 3)).astype("float32"), drawn(rng, 2, 9, whole=False)
    points, boxes, classes = rng.uniform(0, SIDE, (9, 2)).astype("float32"), drawn(rng, 2, 4), classes_of(rng, 2, 4)
    found = geometry.match_by_task(scores, guesses, points, boxes, classes, most, 0.5, beta, narrowest)
    for b in range(2):
        number, positive, quality = reference.task_aligned(
            scores[b], guesses[b], points, boxes[b], classes[b], most, 0.5, beta, narrowest
        )
        np.testing.assert_array_equal(np.asarray(found.positive)[b], positive)
        np.testing.assert_array_equal(np.asarray(found.object)[b], number)
        same(np.asarray(found.quality)[b], quality, 1e-4)
    assert not np.asarray(found.ignored).any()


@quick
@given(SEEDS, st.booleans(), st.sampled_from([0.0, 0.3, 0.5, 0.9]))
def test_suppression_is_the_greedy_rule(seed, by_class, threshold):
    rng = np.random.default_rng(seed)
    boxes, classes = drawn(rng, 2, 14), classes_of(rng, 2, 14)
    found = np.asarray(geometry.survivors(boxes, classes, threshold, by_class))
    for b in range(2):
        np.testing.assert_array_equal(found[b], reference.greedy(boxes[b], classes[b], threshold, by_class))


def test_a_long_chain_of_neighbours_is_suppressed_as_the_greedy_rule_says():
    starts = np.arange(40)[:, None]
    boxes = np.concatenate([starts, starts * 0, starts + 3, starts * 0 + 1], 1).astype("float32")[None]
    stays = np.asarray(geometry.survivors(boxes, np.zeros((1, 40), "int32"), 0.4))[0]
    np.testing.assert_array_equal(stays, np.arange(40) % 2 == 0)


def test_candidates_are_the_best_pairs_of_place_and_class():
    boxes = np.arange(12, dtype="float32").reshape(1, 3, 4)
    scores = np.array([[[0.1, 0.9], [0.6, 0.2], [0.05, 0.0]]], "float32")
    found, best, classes, places = map(np.asarray, geometry.candidates(boxes, scores, 4, threshold=0.15))
    same(best, [[0.9, 0.6, 0.2, 0]])
    np.testing.assert_array_equal(classes, [[1, 0, 1, -1]])
    np.testing.assert_array_equal(places[0, :3], [0, 1, 1])
    same(found[0, :3], boxes[0, [0, 1, 1]])


@quick
@given(SEEDS)
def test_roi_align_equals_the_reference(seed):
    rng = np.random.default_rng(seed)
    strides = (4, 8)
    maps = [rng.normal(size=(2, 64 // s, 96 // s, 3)).astype("float32") for s in strides]
    boxes = (drawn(rng, 2, 3, whole=False) * rng.choice([1, 5, 16], (2, 3, 1)) - 4).astype("float32")
    found = np.asarray(geometry.align(maps, strides, boxes, 3))
    for b in range(2):
        for r in range(3):
            same(found[b, r], reference.align([x[b] for x in maps], strides, boxes[b, r], 3, 2), 1e-3)
