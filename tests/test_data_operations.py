"""Operations on values: each, and every ordered pair, gives PIL's picture; those that change nothing change nothing."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from kcnn.data import draws as drawing
from kcnn.data.operations import OPERATIONS, Operation
from kcnn.data.policies import policy_of
from kcnn.data.program import PCA_AXES, Program, run_step
from kcnn.listing import lines
from kcnn.recipe import Augment

SHIFT = (12.0, -7.0, 20.0)


def by_table(function):
    """PIL's picture after a table of 256 for all channels."""
    return lambda picture, amount: picture.point([int(np.clip(function(v, amount), 0, 255)) for v in range(256)] * 3)


def shifted(picture, amount):
    return Image.fromarray(np.clip(np.asarray(picture) + np.array(SHIFT), 0, 255).astype(np.uint8))


EXACT = (0, 0)
# name: (reference, magnitudes, most grey levels off: in the mean, anywhere); others have references of their own below
PIL = {
    "identity": (lambda picture, _: picture, (0,), EXACT),
    "brightness": (lambda picture, f: ImageEnhance.Brightness(picture).enhance(f), (0, 0.3, 0.75, 1.2, 1.9), EXACT),
    "contrast": (lambda picture, f: ImageEnhance.Contrast(picture).enhance(f), (0, 0.3, 0.75, 1.2, 1.9), EXACT),
    "saturation": (lambda picture, f: ImageEnhance.Color(picture).enhance(f), (0.3, 0.75, 1.2, 1.9), (0.3, 1)),
    "sharpness": (lambda picture, f: ImageEnhance.Sharpness(picture).enhance(f), (0, 0.3, 0.75, 1.2, 1.9), (0.01, 1)),
    "posterize": (lambda picture, bits: ImageOps.posterize(picture, bits), (1, 2, 4, 6, 8), EXACT),
    "solarize": (lambda picture, t: ImageOps.solarize(picture, t), (0, 0.5, 100, 133.3, 255, 256), EXACT),
    "solarize_add": (by_table(lambda v, a: v + a if v < 128 else v), (0, 30, 110), EXACT),
    "invert": (lambda picture, _: ImageOps.invert(picture), (0,), EXACT),
    "autocontrast": (lambda picture, _: ImageOps.autocontrast(picture), (0,), EXACT),
    "equalize": (lambda picture, _: ImageOps.equalize(picture), (0,), EXACT),
    "gamma": (by_table(lambda v, g: 255.999 * (v / 255) ** g), (0.4, 1.0, 2.2), EXACT),
    "grey": (lambda picture, _: picture.convert("L").convert("RGB"), (0,), EXACT),
    "blur": (lambda picture, s: picture.filter(ImageFilter.GaussianBlur(s)), (0, 0.8, 2.0, 5.0), (0.9, 255)),
    "shift": (by_table(lambda v, a: v + a), (-30, 12, 200), EXACT),
    "pca_colour": (shifted, (0,), EXACT),
}
OTHERS = {"hue", "noise", "elastic"}
VALUES = [name for name, row in OPERATIONS.items() if not row.moves]


@pytest.fixture(scope="module")
def photos():
    """Two photographs, one of them pale, and noise of few levels with a channel that is flat."""
    from sklearn.datasets import load_sample_image

    one, two = (load_sample_image(name)[100:301, 200:463] for name in ("china.jpg", "flower.jpg"))
    noise = np.random.default_rng(0).integers(40, 60, one.shape).astype(np.uint8)
    noise[..., 1] = 77
    return [one, (two // 2 + 90).astype(np.uint8), noise]


def amounts(magnitude, name=""):
    return tf.constant(SHIFT if name == "pca_colour" else (magnitude, 0.25, 0.75), tf.float32)


def changed(name, picture, magnitude=0.0):
    return OPERATIONS[name].apply(tf.constant(picture), amounts(magnitude, name)).numpy()


def test_every_operation_has_its_reference_and_says_what_it_does():
    assert set(PIL) | OTHERS == set(VALUES)
    for name, row in OPERATIONS.items():
        assert row.does.endswith((".", ".)")) and "\n" not in row.does, name
    assert Operation.__doc__.startswith("`apply` as above")


@pytest.mark.parametrize("name", PIL)
def test_every_operation_equals_pil(photos, name):
    reference, magnitudes, (mean, most) = PIL[name]
    for photo, magnitude in itertools.product(photos, magnitudes):
        expected = np.asarray(reference(Image.fromarray(photo), magnitude))
        difference = np.abs(changed(name, photo, magnitude).astype(int) - expected)
        assert difference.mean() <= mean and difference.max() <= most, (
            name,
            magnitude,
            difference.mean(),
            difference.max(),
        )


def test_what_is_listed_for_users_steps_is_what_they_may_hold():
    text = lines("augmentations")
    listed = {line.split()[0] for line in text[text.index("") + 2 :]}
    assert listed == set(OWN) and not listed & {"elastic", "pca_colour"}


OWN = {name: row for name, row in OPERATIONS.items() if not row.field}
MOST = {"rotation": 20.0, "zoom": 1.4, "slide_x": 7.0, "slide_y": -5.0, "hue": 40.0, "noise": 12.0}


@pytest.mark.parametrize("name", OWN)
def test_every_operation_does_in_a_users_step_what_it_says(photos, name):
    """Through the recipe and the program: values as the reference, moves in the matrix and nowhere else."""
    magnitude = MOST.get(name, PIL[name][1][-2 if len(PIL[name][1]) > 1 else 0] if name in PIL else 0.15)
    choice = {"operation": name} | ({} if OWN[name].neutral is None else {"low": magnitude, "high": magnitude})
    augment, photo = Augment(steps=[{"choices": [choice]}]), photos[0]
    if OWN[name].moves:
        sides = tf.constant([263.0, 201.0])
        made, expected = policy_of(augment).matrix(drawn(3), sides), OWN[name].apply(tf.fill([3], magnitude), sides)
        np.testing.assert_allclose(made, expected, atol=1e-5)
        return
    made = ran(augment, photo[None])[0].astype(float)
    if name == "noise":
        assert abs((made - photo)[(photo > 60) & (photo < 195)].std() - 12) < 0.3
    elif name in PIL:
        expected = np.asarray(PIL[name][0](Image.fromarray(photo), magnitude))
        assert np.abs(made - expected).mean() <= PIL[name][2][0]
    else:
        np.testing.assert_array_equal(made, changed(name, photo, magnitude))
        assert (made != photo).any()


@pytest.mark.parametrize("first", PIL)
def test_every_ordered_pair_equals_pil(photos, first):
    """Within one grey level in the mean; 3 where a step magnifies it: equalizing, any after PIL's blur (3 boxes)."""
    for second, photo in itertools.product(PIL, photos[:2]):
        reference, picture = Image.fromarray(photo), tf.constant(photo)
        for name in (first, second):
            magnitude = PIL[name][1][-2 if len(PIL[name][1]) > 1 else 0]
            reference = PIL[name][0](reference, magnitude)
            picture = OPERATIONS[name].apply(picture, amounts(magnitude, name))
        off = np.abs(picture.numpy().astype(int) - np.asarray(reference)).mean()
        assert off < (3 if first == "blur" or second == "equalize" else 1), (first, second, off)


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 5, 3), (33, 20, 3), (9, 8, 1)])
def test_shape_type_and_range_hold_for_any_magnitude(name, shape, rng):
    picture = rng.integers(0, 256, shape).astype(np.uint8)
    for magnitude in (-0.5, 0.0, 0.7, 1.0, 3.0, 300.0):
        made = run_step(tf.constant(picture), [name], tf.constant(1), amounts(magnitude, name))
        assert made.dtype == tf.uint8 and made.shape == shape


@pytest.mark.parametrize("name", [name for name in VALUES if OPERATIONS[name].neutral is not None])
def test_the_neutral_magnitude_changes_nothing(photos, name):
    row = OPERATIONS[name]
    for photo in photos:
        made = row.apply(
            tf.constant(photo), tf.constant([row.neutral] * 3 if name == "pca_colour" else [row.neutral, 0.3, 0.6])
        )
        np.testing.assert_array_equal(made, photo)


def test_hue_turns_colours_and_keeps_luma(photos):
    red = np.full((4, 4, 3), (140, 90, 90), np.uint8)
    turned = changed("hue", red, 120.0)[0, 0].astype(int)
    assert turned[1] > turned[0] or turned[2] > turned[0]
    weights = np.array([0.299, 0.587, 0.114])
    assert abs(turned @ weights - red[0, 0] @ weights) < 1.1
    back = changed("hue", changed("hue", red, 40.0), -40.0)
    assert np.abs(back.astype(int) - red).max() <= 2
    grey = np.full((4, 4, 3), 99, np.uint8)
    np.testing.assert_allclose(changed("hue", grey, 75.0), grey, atol=1)


def test_noise_has_the_stated_deviation_and_its_own_seed():
    grey = np.full((200, 200, 3), 128, np.uint8)
    made = changed("noise", grey, 12.0).astype(float)
    assert abs(made.mean() - 128) < 0.1 and abs(made.std() - 12) < 0.1
    np.testing.assert_array_equal(made, changed("noise", grey, 12.0))
    other = OPERATIONS["noise"].apply(tf.constant(grey), tf.constant([12.0, 0.3, 0.75])).numpy()
    assert abs(np.corrcoef(made.ravel(), other.ravel())[0, 1]) < 0.02


def drawn(count, seed=0):
    return drawing.uniform(seed, tf.zeros(count, tf.int64), tf.range(count, dtype=tf.int64))


def ran(augment, pictures, seed=0):
    program = Program(augment, pictures.shape[-1])
    row = program.draw(drawn(len(pictures), seed))
    return np.stack([program.run(tf.constant(p), {k: v[i] for k, v in row.items()}) for i, p in enumerate(pictures)])


def test_a_program_is_drawn_a_sample_and_grey_stays_grey(photos):
    augment = Augment(brightness=0.4, contrast=0.4, saturation=0.4, pca_colour=0.1, hue=20, gamma=0.3, blur=1, noise=5)
    same = np.repeat(photos[0][None, :60, :50], 12, 0)
    assert len({picture.tobytes() for picture in ran(augment, same)}) == 12
    grey = ran(augment, same[..., :1])
    assert grey.shape == same[..., :1].shape and len({picture.tobytes() for picture in grey}) == 12


def test_light_and_colour_come_in_every_order():
    program = Program(Augment(brightness=0.4, contrast=0.4, saturation=0.4), 3)
    choice = program.draw(drawn(600))["choice"].numpy()
    orders, counts = np.unique(choice, axis=0, return_counts=True)
    assert len(orders) == 6 and counts.min() > 60
    assert program.steps == [["brightness", "contrast", "saturation"]] * 3


def test_the_order_in_which_a_sample_runs_its_steps_counts(photos):
    program = Program(Augment(contrast=0.9, gamma=2.0), 3)
    row = program.draw(drawn(8))
    for i in range(8):
        picture = tf.constant(photos[0])
        for k in range(2):
            name = program.steps[k][row["choice"][i, k] - 1]
            picture = OPERATIONS[name].apply(picture, row["amounts"][i, k])
        made = program.run(tf.constant(photos[0]), {k: v[i] for k, v in row.items()})
        np.testing.assert_array_equal(picture, made)


@pytest.mark.parametrize("field, magnitude, low, high", [
    ("brightness", 0.4, 0.6, 1.4), ("sharpness", 2.0, -1.0, 3.0), ("hue", 30, -30, 30), ("blur", 2, 0, 2),
    ("noise", 9, 0, 9), ("elastic", 0.05, 0, 0.05), ("gamma", 1.0, 0.5, 2.0), ("contrast", 1, 0, 2),
])  # fmt: skip
def test_magnitudes_are_drawn_as_the_recipe_says(field, magnitude, low, high):
    row = Program(Augment(**{field: magnitude}), 3).draw(drawn(400))
    values = row["amounts"][:, 0, 0].numpy()
    assert low <= values.min() < low + 0.02 * (high - low) and high - 0.02 * (high - low) < values.max() <= high


def test_nothing_asked_for_is_nothing_done():
    assert Program(Augment(), 3).steps == [] == Program(None, 3).steps
    assert Program(Augment(), 3).draw(drawn(2)) == {}
    share = Program(Augment(grey=0.3), 3).draw(drawn(2000))["choice"].numpy().mean()
    assert abs(share - 0.3) < 0.04


def test_the_axes_of_colour_are_orthonormal():
    np.testing.assert_allclose(np.array(PCA_AXES).T @ PCA_AXES, np.eye(3), atol=2e-3)
