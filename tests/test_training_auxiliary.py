"""Auxiliary classifiers: in training they add their losses by weight; what judges a training leaves them out."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kcnn
from kcnn.architectures import ARCHITECTURES
from kcnn.heads import Classifier
from kcnn.models import build_model, head_of, main_part
from kcnn.session import layer_rates
from kcnn.session.running import backbone_layers
from kcnn.training import Engine

SHAPE = (64, 64, 3)
WITH = [name for name, variant in ARCHITECTURES.items() if variant.auxiliary and name.endswith("_toy")]


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    image = tf.constant(rng.uniform(0, 255, (6, *SHAPE)), tf.float32)
    return {"image": image, "label": tf.constant([0, 1, 2, 0, 1, 2]), "weight": tf.constant([1.0, 1, 1, 1, 1, 0])}


def test_some_family_has_them():
    assert "googlenet_toy" in WITH


@pytest.mark.parametrize("name", WITH)
def test_training_adds_losses_by_weight_and_evaluation_judges_the_main_output(name, batch):
    head = head_of("classifier", num_classes=3)
    model = build_model(name, head, input_shape=SHAPE, stem="standard", auxiliary=True)
    outputs = model(batch["image"], training=False)
    assert set(outputs) == {"main", *model.auxiliary_weights} and len(outputs) > 1
    targets = head.targets(batch)

    def loss(part):
        total, weight = head.loss(targets, outputs[part])
        return float(tf.reduce_sum(total) / tf.reduce_sum(weight))

    expected = loss("main") + sum(share * loss(part) for part, share in model.auxiliary_weights.items())
    optimizer = keras.optimizers.SGD(0.0)
    optimizer.build(model.trainable_variables)
    engine = Engine(model, head, optimizer, forward=lambda image, training: model(image, training=False))
    sums, _ = engine.train_step(batch, np.float32(0), np.float32(0))
    assert engine.means(sums)["loss"] == pytest.approx(expected, rel=1e-5)
    assert engine.evaluate([batch])["loss"] == pytest.approx(loss("main"), rel=1e-5)


@pytest.mark.parametrize("name", WITH)
def test_main_part_answers_the_same_and_has_no_more_weights_than_without(name, batch):
    model = build_model(name, input_shape=SHAPE, num_classes=3, stem="standard", auxiliary=True)
    part = main_part(model)
    np.testing.assert_array_equal(part(batch["image"]), model(batch["image"])["main"])
    plain = build_model(name, input_shape=SHAPE, num_classes=3, stem="standard")
    assert [v.path for v in part.variables] == [v.path for v in plain.variables] and main_part(plain) is plain
    assert len(model.trainable_variables) > len(part.trainable_variables)


@pytest.mark.parametrize("name", WITH)
def test_they_learn_at_the_whole_rate_and_while_the_network_rests(name):
    model = build_model(name, input_shape=SHAPE, num_classes=3, stem="standard", auxiliary=True)
    inside = {layer.name for layer in main_part(model).layers}
    own = [layer for layer in model.layers if layer.name not in inside]
    rates, resting = layer_rates(model, 0.5), set(backbone_layers(model))
    assert own and not resting.intersection(layer.name for layer in own)
    assert {rates[v.path] for layer in own for v in layer.weights} == {1.0}
    assert resting < inside and "scaling" in resting and "logits" not in resting
    plain = build_model(name, input_shape=SHAPE, num_classes=3, stem="standard")
    assert {path: rates[path] for path in layer_rates(plain, 0.5)} == layer_rates(plain, 0.5)


def test_only_heads_that_say_so_have_them():
    class Alone(Classifier):
        auxiliary = False

    for head, names in ((Classifier(3), {"aux1": 0.3, "aux2": 0.3}), (Alone(3), {})):
        model = build_model("googlenet_toy", head, input_shape=SHAPE, stem="standard", auxiliary=True)
        assert model.auxiliary_weights == names


def test_the_paper_counts_them():
    model = build_model("googlenet_bn", top="own", auxiliary=True)
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == 13_385_816


def test_a_run_trains_them_and_answers_without(tmp_path):
    rng = np.random.default_rng(0)
    data = (rng.integers(0, 255, (12, *SHAPE), dtype=np.uint8), np.arange(12) % 3)
    settings = {"runtime.runs": str(tmp_path), "train.batch_size": 6, "data.validation": 0.5}
    run = kcnn.build_and_fit({}, data, name="a", architecture="googlenet_toy", epochs=1, **settings)
    assert run.recipe.model.auxiliary and run.status["state"] == "finished"
    assert run.model.output_shape == (None, 3)
    run.extend(1)
    assert len(run.history) == 2
