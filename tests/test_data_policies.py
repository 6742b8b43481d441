"""Policies draw what their papers say, and users' own steps what they say; mistakes are one line."""

import hashlib
import tomllib
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import chisquare

from kcnn import recipe
from kcnn.data import draws as drawing
from kcnn.data.operations import OPERATIONS
from kcnn.data.policies import POLICIES, Choice, Policy, Step, policy_of
from kcnn.data.program import Program
from kcnn.errors import UserError
from kcnn.recipe import Augment
from kcnn.session import prepare

COUNT = 20_000
FOURTEEN = {"identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotation", "brightness", "saturation"}
FOURTEEN |= {"contrast", "sharpness", "posterize", "solarize", "autocontrast", "equalize"}
TABLES = {  # of what AutoAugment's tables in torchvision 0.29 give when written as `written` does
    "autoaugment_imagenet": "ad67904f057fe820",
    "autoaugment_cifar10": "d3b6cba01615ff90",
    "autoaugment_svhn": "e8a67755ed9833ba",
}


def numbers(count=COUNT, seed=0):
    return drawing.uniform(seed, tf.zeros(count, tf.int64), tf.range(count, dtype=tf.int64))


def drawn(policy, count=COUNT):
    """[[(name, magnitude) or None of each step] of each sample]."""
    number, magnitude = (part.numpy() for part in policy.draw(numbers(count)))
    return [
        [(policy.names[n], float(m)) if n >= 0 else None for n, m in zip(*row, strict=True)]
        for row in zip(number, magnitude, strict=True)
    ]


def slow(programs, count, seed=1):
    """The same by Python's own obvious way."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        sample = []
        for step in programs[rng.integers(len(programs))]:
            choice = step.choices[rng.integers(len(step.choices))]
            share = rng.integers(choice.levels) / (choice.levels - 1) if choice.levels else rng.random()
            magnitude = choice.low + (choice.high - choice.low) * share
            if choice.mirrored and rng.random() < 0.5:
                magnitude = 2 * OPERATIONS[choice.operation].neutral - magnitude
            sample.append((choice.operation, magnitude) if rng.random() < step.probability else None)
        yield sample


def likely(counts, other):
    """That two Counters over the same many draws come from one distribution."""
    keys = [key for key in counts | other if counts[key] + other[key] >= 20]
    one, two = np.array([[c[key] for key in keys] for c in (counts, other)], float)
    expected = (one + two) / 2
    return chisquare(np.concatenate([one, two]), np.concatenate([expected, expected])).pvalue > 1e-3


def test_randaugment_draws_evenly_with_one_magnitude_and_even_signs():
    assert POLICIES["randaugment"]() == POLICIES["randaugment"](2, 9.0)
    found = drawn(policy_of(Augment(policy="randaugment")))
    for k in range(2):
        counts = Counter(sample[k][0] for sample in found)
        assert set(counts) == FOURTEEN and chisquare(list(counts.values())).pvalue > 1e-3
    pairs = Counter((one[0], two[0]) for one, two in found)
    assert len(pairs) == 14**2 and chisquare(list(pairs.values())).pvalue > 1e-3
    seen = {name: {round(m, 4) for s in found for n, m in s if n == name} for name in FOURTEEN}
    assert seen["rotation"] == {-9.0, 9.0} and seen["shear_x"] == {-0.09, 0.09} and seen["solarize"] == {178.5}
    assert seen["translate_x"] == {round(45 / 331, 4), round(-45 / 331, 4)} and seen["posterize"] == {6.8}
    assert all(seen[name] == {0.73, 1.27} for name in ("brightness", "saturation", "contrast", "sharpness"))


def test_trivialaugment_draws_any_of_31_levels():
    found = [sample[0] for sample in drawn(policy_of(Augment(policy="trivialaugment")))]
    counts = Counter(name for name, _ in found)
    assert len(counts) == 14 and chisquare(list(counts.values())).pvalue > 1e-3
    levels = Counter(round(abs(m) * 30 / 135) for name, m in found if name == "rotation")
    assert set(levels) == set(range(31)) and chisquare(list(levels.values())).pvalue > 1e-3
    ends = {name: (min(m for n, m in found if n == name), max(m for n, m in found if n == name)) for name in counts}
    for name, (low, high) in {"rotation": (-135, 135), "shear_y": (-0.99, 0.99), "slide_x": (-32, 32),
                              "contrast": (0.01, 1.99), "posterize": (2, 8), "solarize": (0, 255)}.items():  # fmt: skip
        np.testing.assert_allclose(ends[name], (low, high), atol=1e-5)


@pytest.mark.parametrize("name", POLICIES)
def test_draws_are_distributed_as_the_obvious_way_draws(name):
    policy = policy_of(Augment(policy=name))

    def bins(samples):
        return Counter(
            tuple(
                (n, round(m, 2)) if k == 0 else n for k, (n, m) in enumerate(step or ("nothing", 0) for step in sample)
            )
            for sample in samples
        )

    assert likely(bins(drawn(policy)), bins(slow(policy.programs, COUNT)))


def written(programs):
    return "|".join(
        ",".join(
            f"{s.choices[0].operation} {s.probability:g} {s.choices[0].high:.3f} {s.choices[0].mirrored:d}" for s in p
        )
        for p in programs
    )


@pytest.mark.parametrize("name", TABLES)
def test_autoaugments_tables_are_the_published_ones(name):
    programs = POLICIES[name]()
    assert len(programs) == 25 and all(len(p) == 2 and all(len(s.choices) == 1 for s in p) for p in programs)
    assert hashlib.sha256(written(programs).encode()).hexdigest()[:16] == TABLES[name]


def test_a_programs_geometry_and_colour_together_are_what_was_drawn():
    """Each draw is either in the matrix or in the program, at its own step."""
    augment = Augment(policy="trivialaugment")
    policy, draws = policy_of(augment), numbers(300)
    program = Program(augment, 3).draw(draws)
    matrices = policy.matrix(draws, tf.constant([40.0, 30.0])).numpy()
    names = Program(augment, 3).steps[0]
    for i, ((name, magnitude),) in enumerate(drawn(policy, 300)):
        choice = int(program["choice"][i, 0])
        moved = np.abs(matrices[i] - np.eye(3)).max() > 1e-6
        if OPERATIONS[name].moves:
            assert choice == 0 and moved == (abs(magnitude) > 1e-6)
        else:
            assert names[choice - 1] == name and not moved
            assert abs(float(program["amounts"][i, 0, 0]) - magnitude) < 1e-6


def test_a_policy_of_moves_alone_leaves_the_program_empty_so_that_batches_stay_whole():
    turn, blur = {"operation": "rotation", "low": -9, "high": 9}, {"operation": "blur", "low": 1, "high": 2}
    moves = Program(Augment(steps=[{"choices": [turn]}] * 2), 3)
    assert moves.steps == [] and moves.draw(numbers(4)) == {}
    mixed = Program(Augment(steps=[{"choices": [turn]}, {"choices": [turn, blur]}]), 3)
    assert mixed.steps == [["blur"]]
    row, found = mixed.draw(numbers(50)), drawn(mixed.policy, 50)
    assert row["choice"].shape == (50, 1)
    for i, (_, second) in enumerate(found):
        assert bool(row["choice"][i, 0]) == (second[0] == "blur")
        assert second[0] != "blur" or abs(float(row["amounts"][i, 0, 0]) - second[1]) < 1e-6


def test_two_steps_of_noise_add_two_fields():
    noise = {"choices": [{"operation": "noise", "low": 10, "high": 10}]}
    one, two = (Program(Augment(steps=[noise] * count), 3) for count in (1, 2))
    grey = tf.fill([100, 100, 3], tf.constant(128, tf.uint8))
    off = []
    for program in (one, two):
        row = program.draw(numbers(1))
        off.append(program.run(grey, {key: value[0] for key, value in row.items()}).numpy().std())
    assert abs(off[0] - 10) < 0.3 and abs(off[1] - 10 * 2**0.5) < 0.4
    both = Program(Augment(steps=[noise], noise=10.0), 3).draw(numbers(1))["amounts"][0].numpy()
    assert (both[0, 1:] != both[1, 1:]).all()


@pytest.mark.parametrize("name", POLICIES)
def test_published_magnitudes_lie_within_the_bounds(name):
    for choice in (c for program in POLICIES[name]() for step in program for c in step.choices):
        row = OPERATIONS[choice.operation]
        assert (row.bounds is None) == (row.neutral is None)
        for end in (choice.low, choice.high) if row.bounds else ():
            assert row.bounds[0] <= end <= row.bounds[1]
            assert not choice.mirrored or row.bounds[0] <= 2 * row.neutral - end <= row.bounds[1]


@pytest.mark.parametrize("name", [name for name, row in OPERATIONS.items() if row.bounds])
def test_every_operation_works_at_its_bounds(name):
    row, picture = OPERATIONS[name], np.random.default_rng(0).integers(0, 256, (12, 9, 3)).astype(np.uint8)
    assert row.bounds[0] <= row.neutral <= row.bounds[1]
    for end in row.bounds:
        if row.moves:
            made = row.apply(tf.constant([end], tf.float32), tf.constant([9.0, 12.0]))
            assert np.isfinite(made).all() and np.isfinite(tf.linalg.inv(made)).all()
        else:
            made = row.apply(tf.constant(picture), tf.constant([end, 0.2, 0.7], tf.float32))
            assert made.dtype == tf.uint8 and made.shape == picture.shape


def test_a_policys_mistakes_are_told_before_data_is_read():
    augment = {"steps": [{"choices": [{"operation": "zoom", "low": 0, "high": 2}]}]}
    with pytest.raises(UserError, match="zoom takes magnitudes from 0.1 to 10"):
        prepare(recipe.parse({"data": {"source": "no/such/folder"}, "augment": augment}))


def test_moves_multiply_in_the_drawn_order():
    steps = [Step(1.0, (Choice("translate_x", 0.5, 0.5),)), Step(1.0, (Choice("rotation", 90.0, 90.0),))]
    matrix = Policy([steps]).matrix(numbers(1), tf.constant([40.0, 40.0]))[0].numpy()
    shown = np.linalg.inv(matrix) @ [20, 20, 1]  # the centre goes right by 20, then anticlockwise to the top
    np.testing.assert_allclose(shown, [20, 0, 1], atol=1e-4)


OWN = """
[[augment.steps]]
probability = 0.5
choices = [{operation = "rotation", low = -20.0, high = 10.0}, {operation = "equalize"}]
[[augment.steps]]
choices = [{operation = "blur", low = 0.5, high = 1.5}]
"""


def test_a_users_own_steps():
    own = recipe.parse(tomllib.loads(OWN))
    assert recipe.parse(tomllib.loads(own.to_toml())) == own
    found = drawn(policy_of(own.augment), 4000)
    counts = Counter(sample[0][0] if sample[0] else None for sample in found)
    assert abs(counts[None] / 4000 - 0.5) < 0.03 and abs(counts["equalize"] / 4000 - 0.25) < 0.03
    turns = [sample[0][1] for sample in found if sample[0] and sample[0][0] == "rotation"]
    assert -20 <= min(turns) < -19 and 9 < max(turns) <= 10 and abs(np.mean(turns) + 5) < 1
    assert all(sample[1][0] == "blur" and 0.5 <= sample[1][1] <= 1.5 for sample in found)


@pytest.mark.parametrize("text, message", [
    ("[augment]\npolicy = 'randaugmnt'", "unknown augmentation policy 'randaugmnt': did you mean 'randaugment'"),
    ("[augment]\npolicy = 'trivialaugment'\npolicy_steps = 3", "policy_steps means nothing to trivialaugment"),
    ("[augment]\npolicy_magnitude = 3", "policy_magnitude means nothing to no policy"),
    ("[augment]\npolicy = 'randaugment'\n" + OWN, "are two policies; leave one out"),
    (OWN.replace("blur", "blurr"), "unknown augmentation operation 'blurr': did you mean 'blur'"),
    (OWN.replace("blur", "elastic"), "cannot hold elastic; use augment.elastic"),
    (OWN.replace("blur", "pca_colour"), "cannot hold pca_colour; use augment.pca_colour"),
    (OWN.replace("blur", "zoom").replace("0.5, high", "0.0, high"), "zoom takes .* 0.1 to 10, and low is 0; give"),
    (OWN.replace("1.5}", "21.0}"), "blur takes magnitudes from 0 to 20, and high is 21; give one within"),
    (OWN.replace("-20.0", "nan"), "rotation takes magnitudes from -180 to 180, and low is nan"),
    (OWN.replace("blur", "posterize").replace("0.5, high", "-1, high"), "posterize takes .* 0 to 8, and low is -1"),
    (OWN.replace('"equalize"', '"posterize"'), "posterize needs low and high"),
    (OWN.replace("low = 0.5", "low = 2.5"), "augment.steps.1.choices.0: give low and high together"),
    (OWN.replace("low = 0.5, ", ""), "give low and high together"),
    (OWN.replace("operation = \"blur\"", "operaton = \"blur\""), "operation"),
    (OWN.replace("probability = 0.5", "probability = 1.5"), "augment.steps.0.probability: .* not 1.5"),
    ("[[augment.steps]]\nchoices = []", "augment.steps.0: name at least one operation"),
    (OWN.replace("operation = \"blur\"", "operation = \"mirror\""), "mirror has no magnitude: leave low and high out"),
])  # fmt: skip
def test_mistakes_are_one_line(text, message):
    with pytest.raises(UserError, match=message) as error:
        policy_of(recipe.parse(tomllib.loads(text)).augment)
    assert "\n" not in str(error.value)
