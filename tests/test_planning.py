"""Before a training: what it will cost, and which learning rate to take."""

from pathlib import Path

import numpy as np
import pytest

import kcnn
from kcnn import forecast, planning, rate_finder
from kcnn.recipe import Recipe
from kcnn.training import Engine
from tests.test_cli import kcnn as command


@pytest.fixture
def data(rng):
    """Pictures of two classes that differ in brightness."""
    y = np.arange(96) % 2
    return (rng.integers(0, 100, (96, 16, 16, 1)) + 120 * y[:, None, None, None]).astype(np.uint8), y


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(planning, "LONGEST", 0.2)
    monkeypatch.setattr(forecast, "exchange_seconds", lambda sizes: 1e-8 * sum(sizes))


SETTINGS = {"architecture": "resnet_toy", "batch_size": 16}


def test_a_plan_agrees_with_the_recipe_and_the_network(quick, data):
    plan = kcnn.plan(Recipe(), data, epochs=3, **SETTINGS)
    model = kcnn.build_model("resnet_toy", input_shape=(16, 16, 1), num_classes=2)
    assert plan.parameters == sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert plan.memory["optimizer"] >= 2 * 4 * plan.parameters, "Adam keeps two numbers a weight"
    assert plan.steps_per_epoch == 5 and plan.epochs == 3 and plan.precision == "float32"
    assert plan.epoch_seconds > 5 * plan.step_seconds > 0
    assert plan.peak_memory > sum(plan.memory.values())
    text = "\n".join(plan.lines())
    assert text.startswith("resnet_toy, input 16×16×1, batch 16, float32") and "one epoch of 5 steps" in text


def test_a_plan_counts_a_network_without_its_auxiliary_classifiers(quick, rng, monkeypatch):
    monkeypatch.setattr(planning, "_forecasts", lambda *_: ())
    data = rng.integers(0, 255, (24, 64, 64, 3), dtype=np.uint8), np.arange(24) % 2
    plan = kcnn.plan(Recipe(), data, architecture="googlenet_toy", batch_size=8)
    model = kcnn.build_model("googlenet_toy", input_shape=(64, 64, 3), num_classes=2)
    assert plan.parameters == sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def test_a_plan_counts_outputs_of_the_pictures_computed_at_once_in_their_precision(quick, data, monkeypatch):
    model = kcnn.build_model("resnet_toy", input_shape=(16, 16, 1), num_classes=2)
    whole = 16 * kcnn.inspection.activation_bytes(model)

    def activations(**settings):
        return kcnn.plan(Recipe(), data, **SETTINGS | settings).memory.get("activations")

    monkeypatch.setattr(planning, "_forecasts", lambda *_: ())
    assert activations(accumulate=4) == pytest.approx(whole / 4, rel=0.1)
    assert activations(precision="bfloat16") < 0.6 * whole
    plan = kcnn.plan(Recipe(), data, rematerialize=True, **SETTINGS)
    assert plan.memory.keys() == {"weights", "optimizer"} and "activations" not in "\n".join(plan.lines())


def test_the_peak_is_known_where_there_is_no_proc(monkeypatch):
    before = planning._peak_memory()
    monkeypatch.setattr(planning, "Path", lambda name: Path("/nowhere") / name[1:])
    assert planning._peak_memory() == pytest.approx(before, rel=0.3)


def test_a_plan_says_what_more_workers_would_give(quick, data, monkeypatch):
    plan = kcnn.plan(Recipe(), data, **SETTINGS)
    assert [row.workers for row in plan.forecasts] == [2, 4, 8]
    assert plan.forecasts[0].exchange_seconds == pytest.approx(1e-8 * plan.parameters)
    (line,) = [line for line in plan.lines() if line.startswith("2 workers, each a machine like this one: a step ")]
    assert f"{plan.forecasts[0].faster:.1f} times as fast" in line and "with 16 each" in line
    assert not kcnn.plan(Recipe(), data, **SETTINGS | {"batch_size": 15}).forecasts, "15 pictures have no halves"
    monkeypatch.setattr(forecast, "exchange_seconds", lambda sizes: None)
    assert not kcnn.plan(Recipe(), data, **SETTINGS).forecasts, "no processes could be started"


def test_a_forecast_adds_the_exchange_to_a_part_of_the_step():
    two, four, eight = forecast.forecasts(8, 1.0, 0.6, 0.1)
    assert (two.step_seconds, two.faster, two.more) == pytest.approx((0.7, 1 / 0.7, 2 / 1.1))
    assert four.exchange_seconds == pytest.approx(0.15) and four.step_seconds == pytest.approx(0.4 + 0.15)
    assert eight.step_seconds == pytest.approx(0.3 + 0.175) and eight.more == pytest.approx(8 / 1.175)
    assert [row.workers for row in forecast.forecasts(6, 1.0, 0.6, 0.1)] == [2]
    assert forecast.forecasts(4, 1.0, 0.5, 0.0)[1].faster == pytest.approx(4), "the line of a step without a fixed part"
    assert [row.faster for row in forecast.forecasts(4, 1.0, 0.4, 0.0)] == pytest.approx([2, 4]), (
        "at most as many times"
    )


@pytest.mark.slow
def test_an_exchange_is_measured_and_grows_with_what_is_exchanged(monkeypatch):
    small, large = forecast.exchange_seconds([1000, 24]), forecast.exchange_seconds([2_000_000] * 4)
    assert 0 < small < large < 20
    monkeypatch.setattr(forecast, "MOST", 1 << 20)
    assert forecast.exchange_seconds([2_000_000] * 4) > small, "a sample of it stands for all"
    monkeypatch.setattr(forecast, "PROGRAM", "raise SystemExit(1)")
    assert forecast.exchange_seconds([10]) is None


def test_times_are_said_as_people_say_them():
    assert [planning._time(s) for s in (1.26, 45.2, 240, 9000)] == ["1.3 s", "45 s", "4.0 min", "2.5 h"]


def test_the_suggested_rate_trains_and_a_tenfold_lowest_one_does_not(data, tmp_path):
    curve = kcnn.find_learning_rate(Recipe(), data, optimizer="sgd", **SETTINGS)
    assert len(curve.rates) == len(curve.losses) > 30 and curve.rates[0] == rate_finder.LOWEST
    assert curve.suggested == rate_finder.suggest(curve.rates, curve.losses)
    assert 1e-4 < curve.suggested < 1
    curve.plot(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    run = kcnn.build_and_fit_classifier(
        data, epochs=4, optimizer="sgd", learning_rate=curve.suggested, runs=str(tmp_path), **SETTINGS
    )
    assert run.history[-1]["loss"] < run.history[0]["loss"]


def test_the_steepest_fall_decides_or_a_tenth_of_the_lowest_point():
    rates = np.geomspace(1e-5, 1.0, 6)
    assert rate_finder.suggest(rates, [2.0, 1.9, 1.2, 0.5, 0.4, 3.0]) == pytest.approx(1e-3)
    assert rate_finder.suggest(rates, [2.0, 1.99, 1.98, 1.9, 0.4, 3.0]) == pytest.approx(1e-2)
    assert rate_finder.suggest(rates[:1], [2.0]) == pytest.approx(1e-6)


def test_a_suggestion_is_for_the_batch_that_the_rate_is_chosen_for(data, tmp_path, monkeypatch):
    monkeypatch.setattr(rate_finder, "STEPS", 12)
    curve = kcnn.find_learning_rate(Recipe(), data, reference_batch=4, **SETTINGS)
    assert curve.scale == 4 and curve.suggested == rate_finder.suggest(curve.rates, curve.losses, 4)
    assert rate_finder.suggest(curve.rates, curve.losses) == pytest.approx(4 * curve.suggested, rel=0.05)
    curve.plot(tmp_path / "curve.png")


def test_a_curve_that_suggests_nothing_is_refused(data, monkeypatch):
    with pytest.raises(kcnn.UserError, match="must fall at some rate between 1e-06 and 10, and rose"):
        rate_finder.suggest(np.geomspace(1e-5, 1.0, 3), [1.0, 1.5, 3.0])
    monkeypatch.setattr(Engine, "means", lambda *_: {"loss": float("nan")})
    with pytest.raises(kcnn.UserError, match="must be a number at the first step"):
        kcnn.find_learning_rate(Recipe(), data, **SETTINGS)


def test_the_commands(quick, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(rate_finder, "STEPS", 12)
    words = ["--data", "builtin:digits", "--architecture", "simple_cnn_toy", "--set", "train.epochs=2"]
    status, out, _ = command(capsys, "plan", *words)
    assert status == 0 and "peak memory" in out and "2 epochs" in out
    status, out, _ = command(capsys, "find-rate", *words, "--out", tmp_path / "rate.png")
    assert status == 0 and out.startswith("train.learning_rate = ") and (tmp_path / "rate.png").is_file()
