"""precision = "auto": real steps are timed and undone, the winner is written down and obeyed ever after."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import kcnn
from kcnn.recipe import Recipe
from kcnn.training import Engine, MovingAverage, precision
from kcnn.training.precision import Trial, is_better, settle, trial

TRAIN = Recipe().train


def batches(size=8):
    rng = np.random.default_rng(0)
    while True:
        label = rng.integers(0, 3, size).astype("int32")
        image = rng.uniform(0, 255, (size, 16, 16, 3)).astype("float32")
        yield {"image": image, "label": label, "weight": np.ones(size, "float32")}


def engine():
    from kcnn.models import build_model, head_of
    from kcnn.training import make_optimizer

    head = head_of("classifier", num_classes=3, dropout=0.5)
    model = build_model("resnet_toy", head, input_shape=(16, 16, 3))
    return Engine(model, head, make_optimizer(TRAIN, model.trainable_variables), average=MovingAverage(model, 0.9))


def test_a_trial_leaves_no_trace():
    tried = engine()
    before = {name: variable.numpy() for name, variable in tried.state().items()}
    assert any(name.startswith("average/") for name in before) and len(before) > 20
    seen = trial(tried, batches(), 0.01, lambda _: np.inf)
    assert len(seen.losses) == precision.STEPS + 1 and len(set(seen.losses)) > 1 and seen.cost > seen.seconds > 0
    for name, variable in tried.state().items():
        np.testing.assert_array_equal(before[name], variable.numpy(), err_msg=name)
    assert trial(tried, batches(), 0.01, lambda _: 0.0) is None
    for name, variable in tried.state().items():
        np.testing.assert_array_equal(before[name], variable.numpy(), err_msg=name)


def test_faster_by_a_tenth_with_the_same_losses_is_better():
    safe = Trial(1.0, 3.0, (2.0, 1.5))
    assert is_better(Trial(0.9, 3.0, (2.02, 1.49)), safe)
    assert not is_better(Trial(0.95, 3.0, (2.0, 1.5)), safe)
    assert not is_better(Trial(0.5, 3.0, (2.0, 1.55)), safe)
    assert not is_better(Trial(0.5, 3.0, (2.0, np.nan)), safe)


class Stub:
    def __init__(self, name):
        self.name = self.engine = name


@pytest.mark.parametrize(
    ("steps", "trials", "chosen", "why"),
    [
        (100, {}, "float32", "100 steps are too few"),
        (1000, {"float32": None}, "float32", "more than 20 s or 2% of the training's time"),
        (10**4, {"float32": Trial(0.1, 1.0, (1.0,)), "bfloat16": None}, "float32", "not faster"),
        (10**4, {"float32": Trial(0.1, 1.0, (1.0,)), "bfloat16": Trial(0.05, 1.0, (1.0,))}, "bfloat16", "faster"),
        (10**4, {"float32": Trial(0.1, 1.0, (1.0,)), "bfloat16": Trial(0.05, 1.0, (2.0,))}, "float32", "same losses"),
    ],
)
def test_what_is_tried_and_chosen(monkeypatch, steps, trials, chosen, why):
    left = dict(trials)
    monkeypatch.setattr(precision, "trial", lambda engine, *_: left.pop(engine))
    best, seen = settle(steps, Stub, lambda: None, 0.1)
    assert best.name == seen["chosen"] == chosen and why in seen["why"] and not left


class Slow:
    """An engine, and a clock by which making it, its first step and each other step take so many seconds."""

    now = 0.0

    def __init__(self, making, first, others):
        self.left, self.others, self.steps = first, others, 0
        Slow.now += making

    def train_step(self, *_):
        Slow.now, self.left, self.steps = Slow.now + self.left, self.others, self.steps + 1
        return None, None

    def means(self, sums):
        return {"loss": 1.0}

    def state(self):
        return {}


@pytest.mark.parametrize(
    ("steps", "safe", "other", "taken"),
    [
        (10**6, (0, 11.0, 1.0), None, [1]),  # over half of the 20 s
        (10**6, (0, 6.0, 3.0), None, [3]),
        (1000, (0, 2.0, 0.1), None, [2]),  # 2 % of 100 s, where the first step said 2000 s
        (10**6, (0, 4.0, 2.0), (0, 4.0, 2.0), [4, 4]),
        (10**6, (0, 4.0, 2.0), (0, 5.0, 3.0), [4, 3]),  # 10 s are left
        (10**6, (0, 4.0, 2.0), (8, 1.0, 2.0), [4, 2]),  # of which making it took 8
    ],
)
def test_trials_end_with_the_step_that_costs_too_much(monkeypatch, steps, safe, other, taken):
    left, engines = [safe, other], []

    def prepare(_):
        engines.append(Slow(*left.pop(0)))
        return SimpleNamespace(engine=engines[-1])

    monkeypatch.setattr(Slow, "now", 0.0)
    monkeypatch.setattr(precision, "time", SimpleNamespace(perf_counter=lambda: Slow.now))
    _, seen = settle(steps, prepare, lambda: iter(batches()), 0.1)
    assert [engine.steps for engine in engines] == taken and seen["chosen"] == "float32"


def test_a_precision_that_fails_is_not_taken(monkeypatch):
    def fail(engine, *_):
        if engine == "bfloat16":
            raise tf.errors.UnimplementedError(None, None, "no such kernel\nat a place")
        return Trial(0.1, 1.0, (1.0,))

    monkeypatch.setattr(precision, "trial", fail)
    best, seen = settle(10**4, Stub, lambda: None, 0.1)
    assert best.name == "float32" and seen["why"] == "bfloat16 failed: no such kernel" and seen["bfloat16"] is None


def train(tmp_path, name, **settings):
    rng, y = np.random.default_rng(0), np.arange(32) % 2
    x = rng.integers(0, 255, (32, 16, 16, 3), dtype=np.uint8)
    settings = {"batch_size": 8, "epochs": 2, "dropout": 0.3, "runs": str(tmp_path), "name": name} | settings
    return kcnn.build_and_fit_classifier((x, y), "resnet_toy", **settings), (x, y)


def test_the_choice_is_written_obeyed_and_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "MOST_SHARE", 1.0)
    speeds = {"float32": 1.0, "bfloat16": 0.1}
    monkeypatch.setattr(precision, "trial", lambda engine, *_: Trial(speeds[policy(engine.model)], 0.1, (1.0,)))
    run, source = train(tmp_path, "half")
    assert 'precision = "bfloat16"' in run.folder.recipe_file.read_text()
    assert run.folder.events("started")[0]["precision"] == {
        "chosen": "bfloat16", "float32": 1.0, "bfloat16": 0.1, "why": "it is faster, with the same losses",
    }  # fmt: skip
    monkeypatch.undo()
    again = kcnn.load_run(run.path, source).extend(1)
    assert policy(again.model) == "bfloat16" and len(again.history) == 3
    assert all(v.dtype == "float32" for v in again.model.trainable_variables)


def policy(model):
    return next(layer.compute_dtype for layer in model.layers if isinstance(layer, keras.layers.Conv2D))


def test_trying_changes_no_bit_of_the_training(tmp_path, monkeypatch):
    plain, _ = train(tmp_path, "plain", precision="float32")
    monkeypatch.setattr(precision, "MOST_SHARE", 1e6)
    monkeypatch.setattr(precision, "MOST_SECONDS", 1e6)
    monkeypatch.setattr(precision, "GAIN", 1e6)  # nothing is that much faster
    tried, _ = train(tmp_path, "tried")
    seen = tried.folder.events("started")[0]["precision"]
    assert seen["chosen"] == "float32" and seen["bfloat16"] > 0
    timed = ("seconds", "images_per_second", "data_wait")
    for a, b in zip(plain.history, tried.history, strict=True):
        assert {k: v for k, v in a.items() if k not in timed} == {k: v for k, v in b.items() if k not in timed}
