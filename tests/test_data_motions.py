"""Moves: each is PIL's transform of the frame; perspective, elastic, boxes and masks agree; flips undo themselves."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kcnn.data import draws as drawing
from kcnn.data.annotations import transform_boxes, transform_keypoints, transform_mask, transform_masks
from kcnn.data.geometry import frame_matrix, is_aligned
from kcnn.data.motions import perspective
from kcnn.data.neighbourhood import centres, displacement
from kcnn.data.operations import OPERATIONS
from kcnn.data.rendering import render
from kcnn.data.resampling import keeps_rows
from kcnn.data.warping import sample, warp, warp_batch
from kcnn.recipe import Augment

HEIGHT, WIDTH = 96, 130
SIDES = tf.constant([float(WIDTH), float(HEIGHT)])
MOVES = {"rotation": 20.0, "shear_x": 0.2, "shear_y": -0.15, "translate_x": 0.1, "translate_y": -0.2}
MOVES |= {"slide_x": 7.0, "slide_y": -5.0, "zoom": 1.4, "mirror": 0.0}


@pytest.fixture(scope="module")
def photo():
    from sklearn.datasets import load_sample_image

    return load_sample_image("flower.jpg")[100 : 100 + HEIGHT, 200 : 200 + WIDTH]


def reference(name, photo, amount):
    """What PIL makes of it, with bilinear sampling and black around."""
    picture, x, y = Image.fromarray(photo), WIDTH / 2, HEIGHT / 2
    if name == "rotation":
        return picture.rotate(amount, Image.Resampling.BILINEAR)
    if name == "mirror":
        return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    rows = {
        "shear_x": (1, amount, 0, 0, 1, 0),
        "shear_y": (1, 0, 0, amount, 1, 0),
        "translate_x": (1, 0, -amount * WIDTH, 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, -amount * HEIGHT),
        "slide_x": (1, 0, -amount, 0, 1, 0),
        "slide_y": (1, 0, 0, 0, 1, -amount),
        "zoom": (1 / amount, 0, x - x / amount, 0, 1 / amount, y - y / amount),
    }
    return picture.transform(picture.size, Image.Transform.AFFINE, rows[name], Image.Resampling.BILINEAR)


def matrix_of(name, amount):
    return OPERATIONS[name].apply(tf.constant([amount]), SIDES)[0]


def test_every_move_has_a_reference():
    assert set(MOVES) == {name for name, row in OPERATIONS.items() if row.moves}


@pytest.mark.parametrize("name", MOVES)
def test_moves_equal_pil(photo, name):
    """But for what PIL does at its edge, within a grey level: it cuts fractions where we round."""
    matrix = matrix_of(name, MOVES[name])
    made = render(photo, matrix, photo.shape, False, 0.0).numpy()
    expected = np.asarray(reference(name, photo, MOVES[name])).astype(float)
    inner = tf.cast(tf.ones_like(photo), tf.float32)[None]
    sure = warp_batch(inner, matrix[None], (HEIGHT, WIDTH), 0.0)[0].numpy() == 1
    assert sure.mean() > 0.5 and np.abs(made - expected)[sure].mean() < (0.1 if name == "mirror" else 1)
    assert bool(keeps_rows(matrix)) == (not OPERATIONS[name].turns)


def plain_warp(picture, matrix, size, fill):
    """Bilinear between pixels' centres and the `fill` around, in float64."""
    height, width = picture.shape[:2]
    x, y = np.meshgrid(np.arange(size[1]) + 0.5, np.arange(size[0]) + 0.5)
    seen = np.stack([x, y, np.ones_like(x)], -1) @ matrix.T.astype(np.float64)
    x, y = (np.clip(seen[..., i] / seen[..., 2] + 0.5, 0, (width, height)[i] + 1) for i in (0, 1))
    x0, y0 = x.astype(int), y.astype(int)
    right, low = (x - x0)[..., None], (y - y0)[..., None]
    p = np.pad(picture.astype(np.float64), ((1, 2), (1, 2), (0, 0)), constant_values=fill)
    rows = [p[r, x0] * (1 - right) + p[r, x0 + 1] * right for r in (y0, y0 + 1)]
    return rows[0] * (1 - low) + rows[1] * low


@pytest.mark.parametrize("channels, off, most", [(1, 0.26, 0.6), (3, 0.4, 17), (4, 0.26, 0.6)])
@pytest.mark.parametrize("size", [(40, 52), (33, 27)])
def test_warps_equal_a_plain_bilinear_one(photo, channels, off, most, size):
    """Rounding costs a quarter of a level in the mean; colour's sixteenths of a pixel cost a slope's 32nd at most."""
    picture = np.concatenate([photo, 255 - photo[..., :1]], -1)[..., :channels]
    middle = np.array([[0.9, -0.3, 50], [0.35, 0.85, 20], [0, 0, 1]], np.float32)
    corner = middle - [[0, 0, 60], [0, 0, 35], [0, 0, 0]]
    bent = middle + [[0, 0, 0], [0, 0, 0], [0.004, -0.003, 0]]
    beside = middle + [[0, 0, 4000], [0, 0, -900], [0, 0, 0]]
    for matrix in (middle, corner, bent, beside):
        made = warp(tf.constant(picture), tf.constant(matrix, tf.float32), size, 77.0).numpy()
        expected = plain_warp(picture, np.float32(matrix), size, 77)
        assert made.dtype == np.uint8 and np.abs(made - expected).mean() <= off
        assert np.abs(made - expected).max() <= most
    assert (made == 77).all(), "nothing of the picture is seen"
    exact = warp(tf.constant(picture, tf.float32), tf.constant(middle), size, 0.0)
    np.testing.assert_allclose(exact, plain_warp(picture, middle, size, 0), atol=1e-2)


def test_colours_do_not_leak_into_each_other():
    """Extremes side by side, in every channel alone."""
    picture = np.zeros((40, 40, 3), np.uint8)
    for channel in range(3):
        picture[:, :, channel] = 255 * (np.arange(40) // (channel + 1) % 2)
    turned = tf.constant([[0.8, -0.4, 12], [0.4, 0.8, 3], [0, 0, 1]], tf.float32)
    together = warp(tf.constant(picture), turned, (24, 24), 255.0).numpy()
    for channel in range(3):
        alone = warp(tf.constant(picture * (np.arange(3) == channel).astype(np.uint8)), turned, (24, 24), 255.0)
        np.testing.assert_array_equal(together[..., channel], alone[..., channel])


def test_a_policys_shift_is_one_of_whole_pixels(photo):
    """The window is the shifted one, with the picture's own edge and then the fill where it leaves the picture."""
    step = {"choices": [{"operation": "translate_x", "low": 0.2, "high": 0.2}]}
    augment = Augment(crop_area=(0.3, 1), flip_horizontal=0.5, steps=[step, step | {"probability": 0.5}])
    draws = drawing.uniform(3, tf.zeros(16, tf.int64), tf.range(16, dtype=tf.int64))
    far = np.pad(photo, ((0, 0), (200, 200), (0, 0)), "edge")
    for matrix in frame_matrix(tf.constant([[HEIGHT, WIDTH]] * 16), (40, 50, 3), "crop", augment, draws).numpy():
        ends = matrix @ [[0, 50], [0, 40], [1, 1]]
        np.testing.assert_allclose(ends, np.round(ends), atol=2e-3)
        made = render(photo, tf.constant(matrix), (40, 50, 3), True, 9.0).numpy()
        moved = matrix + np.array([[0, 0, 200], [0, 0, 0], [0, 0, 0]], np.float32)
        expected = render(far, tf.constant(moved), (40, 50, 3), True, None).numpy()
        x = matrix[0, 0] * (np.arange(50) + 0.5) + matrix[0, 2]
        expected[:, (x < 0) | (x >= WIDTH)] = 9
        np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize("name", MOVES)
def test_neutral_moves_are_the_identity(name):
    if OPERATIONS[name].neutral is not None:
        np.testing.assert_array_equal(matrix_of(name, OPERATIONS[name].neutral), np.eye(3))
    else:
        twice = matrix_of(name, 0.0) @ matrix_of(name, 0.0)
        np.testing.assert_allclose(twice, np.eye(3), atol=1e-5)


def test_perspective_takes_the_corners_where_it_says(photo):
    shares = np.random.default_rng(0).random((1, 4, 2)).astype(np.float32) * 0.6
    matrix = perspective(tf.constant(shares), SIDES)[0].numpy()
    corners = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], float)
    moved = corners + shares[0] / 2 * [WIDTH, HEIGHT] * np.sign([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    seen = np.c_[moved, np.ones(4)] @ matrix.T
    np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], corners, atol=1e-2)
    made = render(photo, tf.constant(matrix), photo.shape, False, 0.0).numpy()
    picture = Image.fromarray(photo).transform(
        (WIDTH, HEIGHT),
        Image.Transform.PERSPECTIVE,
        list((matrix / matrix[2, 2]).ravel()[:8]),
        Image.Resampling.BILINEAR,
    )
    assert np.abs(made - np.asarray(picture).astype(float)).mean() < 2
    np.testing.assert_allclose(perspective(tf.zeros([1, 4, 2]), SIDES)[0], np.eye(3), atol=1e-5)
    assert not is_aligned(Augment(perspective=0.1))


EXTREMES = [
    Augment(perspective=0.6, flip_horizontal=0.5, crop_area=(0.5, 1)),
    Augment(policy="trivialaugment", crop_area=(0.4, 1)),
    Augment(policy="randaugment", policy_magnitude=30, scale=(0.8, 1.2)),
]


@pytest.mark.parametrize("augment", EXTREMES, ids=["perspective", "trivial", "rand"])
def test_boxes_and_masks_follow_policies_and_perspective(augment):
    """A bright ellipse lies where its mask says, its box encloses it, and no box leaves the frame."""
    y, x = np.mgrid[:120, :150] + 0.5
    inside = ((x - 70) / 30) ** 2 + ((y - 60) / 18) ** 2 < 1
    picture, frame = np.repeat(inside[..., None] * np.uint8(255), 3, -1), (100, 90, 3)
    draws = drawing.uniform(3, tf.zeros(16, tf.int64), tf.range(16, dtype=tf.int64))
    for matrix in frame_matrix(tf.constant([[120, 150]] * 16), frame, "crop", augment, draws):
        seen = render(picture, matrix, frame, False, 0.0).numpy()[..., 0] > 127
        mask = transform_mask(tf.constant(inside, tf.int32), matrix, frame).numpy() > 0
        edge = np.abs(np.gradient(mask.astype(float))).sum(0) > 0
        assert ((seen != mask) & ~edge).mean() < 1e-3
        box, whole = transform_boxes(tf.constant([[40.0, 42.0, 100.0, 78.0], [0, 0, 150, 120]]), matrix, frame).numpy()
        assert (box >= 0).all() and (box <= [90, 100, 90, 100]).all()
        assert (box[:2] >= whole[:2] - 1e-3).all() and (box[2:] <= whole[2:] + 1e-3).all()
        if seen.any():
            rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
            assert (box[:2] <= [columns[0] + 1, rows[0] + 1]).all() and (box[2:] >= [columns[-1], rows[-1]]).all()


def test_clipping_never_makes_a_box_larger():
    boxes = tf.constant(np.random.default_rng(0).random((50, 2, 2)) * [150, 120], tf.float32)
    boxes = tf.reshape(tf.sort(boxes, 1), [-1, 4])
    draws = drawing.uniform(3, tf.zeros(20, tf.int64), tf.range(20, dtype=tf.int64))
    for matrix in frame_matrix(tf.constant([[120, 150]] * 20), (100, 90, 3), "crop", EXTREMES[1], draws):
        cut = transform_boxes(boxes, matrix, (100, 90)).numpy()
        wide = transform_boxes(boxes, matrix @ tf.constant([[1, 0, -1e3], [0, 1, -1e3], [0, 0, 1.0]]), (10**4, 10**4))
        area = [(b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (cut, wide.numpy())]
        assert (area[0] <= area[1] * 1.01 + 1).all() and (area[0] >= 0).all()


def plain_keypoint(x, y, seen, matrix, frame):
    x, y, depth = np.linalg.inv(matrix.astype(np.float64)) @ [x, y, 1]
    x, y = x / depth, y / depth
    return [x, y, seen] if seen and 0 <= x < frame[1] and 0 <= y < frame[0] else [0, 0, 0]


def plain_mask(mask, matrix, frame):
    made = np.zeros(frame[:2], mask.dtype)
    for row in range(frame[0]):
        for column in range(frame[1]):
            x, y, depth = matrix.astype(np.float64) @ [column + 0.5, row + 0.5, 1]
            x, y = int(np.floor(x / depth)), int(np.floor(y / depth))
            if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1]:
                made[row, column] = mask[y, x]
    return made


@pytest.mark.parametrize("augment", EXTREMES, ids=["perspective", "trivial", "rand"])
@pytest.mark.parametrize("dtype", [np.uint8, bool])
def test_keypoints_and_instance_masks_are_what_plain_loops_make(rng, augment, dtype):
    frame = (30, 26, 3)
    masks = rng.integers(0, 2, (3, 36, 44)).astype(dtype)
    points = np.concatenate([rng.random((3, 4, 2)) * [44, 36], rng.integers(0, 3, (3, 4, 1))], -1).astype(np.float32)
    draws = drawing.uniform(7, tf.zeros(6, tf.int64), tf.range(6, dtype=tf.int64))
    for matrix in frame_matrix(tf.constant([[36, 44]] * 6), frame, "crop", augment, draws):
        made = transform_masks(tf.constant(masks), matrix, frame)
        expected = [plain_mask(mask, matrix.numpy(), frame) for mask in masks]
        assert made.dtype == masks.dtype and (made.numpy() != expected).mean() < 2e-3  # but for rounding at edges
        found = transform_keypoints(tf.constant(points), matrix, frame).numpy()
        expected = [[plain_keypoint(*point, matrix.numpy(), frame) for point in one] for one in points]
        np.testing.assert_allclose(found, expected, atol=1e-2)


def test_keypoints_and_instance_masks_follow_the_elastic_displacement():
    field = displacement(tf.constant([0.03, 0.2, 0.4]), (96, 130))
    found = transform_keypoints(tf.constant([[[60.0, 40.0, 2.0], [60.0, 40.0, 0.0]]]), tf.eye(3), (96, 130), field)
    shown = found[0, 0, :2] + sample(field, found[0, :1, None, :2])[0, 0]
    np.testing.assert_allclose(shown, [60, 40], atol=0.3)
    assert found[0, 0, 2] == 2 and not found[0, 1].numpy().any()
    mask = tf.constant(np.random.default_rng(0).integers(0, 2, (96, 130)))
    made = transform_masks(mask[None], tf.eye(3), (96, 130), field)[0]
    np.testing.assert_array_equal(made, transform_mask(mask, tf.eye(3), (96, 130), displacement=field))


def test_flipping_twice_is_the_identity():
    draws = drawing.uniform(0, tf.zeros(4, tf.int64), tf.range(4, dtype=tf.int64))
    flip = frame_matrix([[96, 130]] * 4, (96, 130, 3), "crop", Augment(flip_horizontal=1.0, flip_vertical=1.0), draws)
    np.testing.assert_allclose(flip @ flip, np.tile(np.eye(3), (4, 1, 1)), atol=1e-4)


def test_elastic_moves_picture_mask_and_boxes_alike():
    y, x = np.mgrid[:96, :130] + 0.5
    inside = ((x - 65) / 30) ** 2 + ((y - 48) / 20) ** 2 < 1
    picture = np.repeat(inside[..., None] * np.uint8(255), 3, -1)
    for seed in range(5):
        amounts = tf.constant([0.03, seed / 7, 0.4])
        field = displacement(amounts, (96, 130))
        assert 0.5 < np.abs(field).max() < 25 and np.abs(field[0]).max() < 3
        seen = OPERATIONS["elastic"].apply(tf.constant(picture), amounts).numpy()[..., 0] > 127
        assert (seen != inside).any()
        mask = transform_mask(tf.constant(inside, tf.int32), tf.eye(3), (96, 130), displacement=field).numpy() > 0
        edge = np.abs(np.gradient(mask.astype(float))).sum(0) > 0
        assert not ((seen != mask) & ~edge).any()
        point = tf.constant([[60.0, 40.0, 60.0, 40.0]])
        moved = transform_boxes(point, tf.eye(3), (96, 130), field)[0, :2].numpy()
        shown = moved + sample(field, moved[None, None])[0, 0].numpy()
        np.testing.assert_allclose(shown, [60, 40], atol=0.3)
    np.testing.assert_array_equal(OPERATIONS["elastic"].apply(tf.constant(picture), tf.zeros(3)), picture)
    assert centres((2, 3)).numpy()[1, 2].tolist() == [2.5, 1.5]
