"""Schedules, optimisers, moving averages, weights and checkpoints, each against its own maths."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.errors import UserError
from kcnn.recipe import Recipe
from kcnn.training import OPTIMIZERS, SCHEDULES, Checkpoints, MovingAverage, load_weights, make_optimizer, save_weights
from kcnn.training.schedules import Plateau, Schedule


def section(**changes):
    return Recipe().train.model_copy(update=changes)


def small_model(classes=3):
    layers = [keras.Input((4,)), keras.layers.Dense(5, name="body"), keras.layers.BatchNormalization(name="norm")]
    return keras.Sequential([*layers, keras.layers.Dense(classes, name="answer")])


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_schedules_stay_between_nothing_and_the_peak(name):
    rates = [Schedule(section(schedule=name, learning_rate=0.5), 100, 10)(step) for step in range(100)]
    assert min(rates) >= 0 and max(rates) == pytest.approx(0.5, rel=0.05)


def test_known_values_of_schedules():
    assert [SCHEDULES["step"](x) for x in (0, 0.5, 0.75)] == [1.0, 0.1, 0.01]
    assert SCHEDULES["cosine"](0.5) == pytest.approx(0.5)
    assert SCHEDULES["one_cycle"](0) == pytest.approx(1 / 25) and SCHEDULES["one_cycle"](0.3) == pytest.approx(1)
    assert SCHEDULES["restarts"](1 / 7) == SCHEDULES["restarts"](3 / 7) == 1
    assert SCHEDULES["cyclical"](1 / 8) == pytest.approx(1) and SCHEDULES["cyclical"](1 / 4) == pytest.approx(0.1)


def test_warm_up_rises_then_the_shape_follows():
    schedule = Schedule(section(schedule="cosine", warmup_epochs=1.0, learning_rate=1.0, epochs=10), 100, 10)
    rates = [schedule(step) for step in range(100)]
    assert rates[:10] == sorted(rates[:10]) and rates[0] > 0 and rates[10] == pytest.approx(1) and rates[-1] < 0.01
    schedule = Schedule(section(schedule="one_cycle", warmup_epochs=1.0, learning_rate=1.0, epochs=10), 100, 10)
    rates = [schedule(step) for step in range(38)]  # to the top of the shape, without a fall
    assert rates == sorted(rates) and rates[10] == pytest.approx(1 / 25) and rates[-1] == pytest.approx(1)
    with pytest.raises(UserError, match="warmup_epochs"):
        Schedule(section(warmup_epochs=10.0, epochs=10), 100, 10)


def test_frozen_phase_has_its_own_schedule_and_the_second_a_tenth():
    schedule = Schedule(section(schedule="cosine", learning_rate=1.0, epochs=10, freeze_epochs=4), 100, 10)
    assert schedule(0) == 1 and schedule(39) < 0.01 and schedule(40) == pytest.approx(0.1)


def test_rate_follows_the_batch_when_a_reference_is_given():
    assert Schedule(section(learning_rate=0.1, batch_size=64, reference_batch=256), 10, 1).peak == pytest.approx(0.025)


def test_plateau_halves_after_three_epochs_without_a_better_score():
    plateau = Plateau()
    scales = []
    for better in (True, False, False, False, False, True):
        plateau.update(better)
        scales.append(plateau.state["scale"])
    assert scales == [1, 1, 1, 0.5, 0.5, 0.5]


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_decay_shrinks_kernels_and_leaves_vectors_alone(name):
    model = small_model()
    optimizer = make_optimizer(section(optimizer=name, weight_decay=0.1), model.trainable_variables)
    optimizer.learning_rate = 0.5
    before = [np.asarray(v) for v in model.trainable_variables]
    optimizer.apply([tf.zeros(v.shape) for v in model.trainable_variables], model.trainable_variables)
    for old, variable in zip(before, model.trainable_variables, strict=True):
        factor = 0.95 if old.ndim > 1 else 1.0
        np.testing.assert_allclose(np.asarray(variable), old * factor, rtol=1e-5)


def test_moving_average_follows_batch_statistics_and_swaps_bit_for_bit():
    model = small_model()
    average = MovingAverage(model, 0.9)
    own = [np.asarray(w) for w in model.weights]
    for step in range(3):
        for w in model.weights:
            w.assign_add(tf.ones_like(w.value))
        average.update(tf.constant(float(step)))
    shadow = own[0]
    for step in range(3):
        keep = min(0.9, (1 + step) / (10 + step))
        shadow = keep * shadow + (1 - keep) * (own[0] + step + 1)
    trained = [np.asarray(w) for w in model.weights]
    with average.in_place():
        np.testing.assert_allclose(np.asarray(model.weights[0]), shadow, rtol=1e-6)
        assert not np.array_equal(np.asarray(model.weights[-3]), trained[-3])
    for w, value in zip(model.weights, trained, strict=True):
        np.testing.assert_array_equal(np.asarray(w), value)


def test_weights_go_by_path_and_refuse_strangers(tmp_path):
    first, second = small_model(), small_model()
    save_weights(first, tmp_path / "w.safetensors")
    load_weights(second, tmp_path / "w.safetensors")
    for a, b in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    with pytest.raises(UserError, match="answer/kernel.* has shape"):
        load_weights(small_model(4), tmp_path / "w.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"not a tensor in sight")
    with pytest.raises(UserError, match="no intact safetensors"):
        load_weights(first, tmp_path / "broken.safetensors")
    with pytest.raises(UserError, match="no weights at"):
        load_weights(first, tmp_path / "none.safetensors")


def test_checkpoints_alternate_and_a_damaged_one_is_named_and_passed_over(tmp_path, caplog):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.load() is None
    for step in (1, 2, 3):
        checkpoints.save(step, {"x": np.full(3, step, np.float32)}, {"note": step})
    step, arrays, state = checkpoints.load()
    assert (step, state) == (3, {"note": 3}) and arrays["x"].tolist() == [3, 3, 3]
    newest = max(("a", "b"), key=lambda slot: json.loads((tmp_path / f"{slot}.json").read_text())["step"])
    file = tmp_path / f"{newest}.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    assert checkpoints.load()[0] == 2 and file.name in caplog.text
    for slot in ("a", "b"):
        (tmp_path / f"{slot}.json").write_text("{}")
    with pytest.raises(UserError, match="every checkpoint .* is damaged"):
        checkpoints.load()
