"""Accumulation, rematerialisation and layer-wise decay: the same training by other means, and by parts of the rate."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import kcnn
from kcnn.architectures import ARCHITECTURES
from kcnn.models import build_model, head_of, levels
from kcnn.recipe import Recipe
from kcnn.session import layer_rates
from kcnn.session.running import backbone_layers
from kcnn.training import Engine, Rematerialized, make_optimizer

ROOT = Path(__file__).parents[1]
TOYS = [name for name in ARCHITECTURES if name.endswith("_toy")]


QUICK = ("resnet_toy", "mobilenet_v2_toy", "densenet_toy", "vgg_toy", "vit_toy")  # the others in the slow suite


def batch_of(shape=(32, 32, 3), size=8):
    rng = np.random.default_rng(0)
    image = rng.uniform(0, 255, (size, *shape)).astype("float32")
    weight = np.linspace(0, 2, size, dtype="float32")
    return {"image": image, "label": rng.integers(0, 4, size).astype("int32"), "weight": weight}


def pair(name="resnet_toy", style=None, dropout=0.0):
    """Two models with the same weights, and their head."""
    head = head_of("classifier", num_classes=4, dropout=dropout)
    made = [build_model(name, head, input_shape=(32, 32, 3), style=style) for _ in range(2)]
    for a, b in zip(*(model.variables for model in made), strict=True):
        b.assign(a)
    return *made, head


def engine(model, head, **options):
    train = Recipe().override({"train.optimizer": "sgd", "train.weight_decay": 0.0}).train
    return Engine(model, head, make_optimizer(train, model.trainable_variables), **options)


def step(engine, batch, rate=0.05):
    batch = {name: tf.constant(value) for name, value in batch.items()}
    sums, norms = engine.train_step(batch, np.float32(rate), np.float32(0))
    return engine.means(sums), np.asarray(norms)


def assert_same(a, b, tolerance):
    for one, other in zip(a.variables, b.variables, strict=True):
        one, other = one.numpy(), other.numpy()
        if one.dtype.kind == "f":
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance, err_msg=str(a.name))
        else:
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_parts_of_a_batch_add_up_to_the_whole(parts):
    whole, split, head = pair(style={"norm": "group"})
    seen = step(engine(whole, head), batch_of()), step(engine(split, head, accumulate=parts), batch_of())
    assert seen[0][0] == pytest.approx(seen[1][0], rel=1e-5)
    np.testing.assert_allclose(seen[0][1], seen[1][1], rtol=1e-4, atol=1e-6)
    assert_same(whole, split, 1e-6)


def test_losses_of_layers_count_once():
    def net():
        keras.utils.set_random_seed(0)
        body = [keras.Input((32, 32, 3)), keras.layers.Flatten()]
        return keras.Sequential([*body, keras.layers.Dense(4, kernel_regularizer=keras.regularizers.L2(0.1))])

    whole, split, head = net(), net(), head_of("classifier", num_classes=4)
    batch = batch_of() | {"weight": np.ones(8, "float32")}
    step(engine(whole, head), batch, 1e-6), step(engine(split, head, accumulate=4), batch, 1e-6)
    assert_same(whole, split, 1e-6)


def test_parts_must_be_equal():
    with pytest.raises(kcnn.UserError, match=r"train.batch_size 10 must divide by train.accumulate 4"):
        Recipe().override({"train.batch_size": 10, "train.accumulate": 4})


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in TOYS])
def test_what_is_made_again_is_the_same(name):
    plain, again, head = pair(name, dropout=0.3)
    forward = Rematerialized(again)
    assert len(forward.segments) > 2
    for _ in range(2):
        seen = step(engine(plain, head), batch_of()), step(engine(again, head, forward=forward), batch_of())
        assert seen[0][0] == pytest.approx(seen[1][0], rel=1e-4)
        assert_same(plain, again, 2e-4)


def test_a_model_that_is_no_chain_is_refused():
    inputs = [keras.Input((4,)), keras.Input((4,))]
    model = keras.Model(inputs, keras.layers.Add()(inputs))
    chain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    for refused in (model, chain, Subclassed()):
        with pytest.raises(kcnn.UserError, match="train.rematerialize: .* cannot be cut .*set it = false"):
            Rematerialized(refused)


class Subclassed(keras.Model):
    """A model whose inside nobody sees."""


def test_a_network_with_auxiliary_outputs_is_refused_with_the_way_out(tmp_path):
    x, y = np.zeros((32, 64, 64, 3), np.uint8), np.arange(32) % 2
    settings = {"architecture": "googlenet_toy", "batch_size": 8, "epochs": 1, "rematerialize": True}
    with pytest.raises(kcnn.UserError, match="set model.auxiliary = false"):
        kcnn.build_and_fit_classifier((x, y), runs=str(tmp_path), **settings)
    assert not list(tmp_path.iterdir())


def test_each_level_learns_at_a_share_of_the_next_ones_rate():
    plain, decayed, head = pair("resnet_toy")
    rates = layer_rates(decayed, 0.5)
    assert layer_rates(decayed, 1.0) == {} and len(set(rates.values())) == len(levels(decayed)) + 1
    before = {v.path: v.numpy() for v in plain.trainable_variables}
    train = Recipe().override({"train.optimizer": "sgd", "train.momentum": 0.0, "train.weight_decay": 0.1}).train
    for model, factors in ((plain, {}), (decayed, rates)):
        step(Engine(model, head, make_optimizer(train, model.trainable_variables, factors)), batch_of(), 1e-3)
    for a, b in zip(plain.trainable_variables, decayed.trainable_variables, strict=True):
        moved = [v.numpy() - before[a.path] for v in (a, b)]
        np.testing.assert_allclose(moved[1], moved[0] * rates[b.path], rtol=1e-3, atol=2e-7, err_msg=a.path)
    assert rates[decayed.trainable_variables[-1].path] == 1.0, "the head learns at the whole rate"
    assert rates[decayed.trainable_variables[0].path] == 0.5 ** len(levels(decayed)), "the stem at the least"


PEAKS = """
import resource, numpy as np, tensorflow as tf
from tests.test_training_memory import batch_of, engine, pair, step
from kcnn.training import Rematerialized
plain, again, head = pair("resnet18", style={"norm": "group"})
batch = batch_of(size=256)
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
step(engine(again, head), {name: value[:1] for name, value in batch.items()})
seen = [peak()]
for options in ({"forward": Rematerialized(again)}, {}):
    step(engine(again, head, **options), batch)
    seen.append(peak())
print(*seen)
"""


@pytest.mark.slow
def test_what_is_made_again_is_not_kept():
    """Peaks of one process: after a step of one picture, of many with outputs made again, of many with them kept."""
    said = subprocess.run([sys.executable, "-c", PEAKS], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    before, again, kept = map(int, said.split())
    assert kept - before > 1.5 * (again - before), (before, again, kept)


def test_what_rests_stays_as_it_is_while_all_before_the_head_is_made_again():
    plain, again, head = pair()
    engines = engine(plain, head), engine(again, head, forward=Rematerialized(again))
    body = backbone_layers(plain)
    before = {v.path: v.numpy() for name in body for v in plain.get_layer(name).variables}
    assert before
    for frozen in (body, ()):
        for each in engines:
            each.freeze(frozen)
            step(each, batch_of())
        assert_same(plain, again, 2e-4)
        for model in (plain, again):
            now = [v for name in body for v in model.get_layer(name).variables]
            same = [np.array_equal(v.numpy(), before[v.path]) for v in now]
            assert all(same) if frozen else not any(same)


def test_all_of_it_through_the_front_door(tmp_path):
    x, y = np.random.default_rng(0).integers(0, 255, (32, 16, 16, 3), dtype=np.uint8), np.arange(32) % 2
    settings = {"batch_size": 8, "epochs": 2, "accumulate": 2, "rematerialize": True, "layer_decay": 0.7}
    run = kcnn.build_and_fit_classifier((x, y), "resnet_toy", runs=str(tmp_path), **settings)
    assert run.status["state"] == "finished" and run.history[-1]["loss"] < 1.5
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(kcnn.UserError, match="needs levels"):
        kcnn.fit(model, tf.data.Dataset.from_tensors((np.zeros((4, 4)), np.zeros(4))), loss="mse", layer_decay=0.5)
