"""Heads for boxes: what is built, what losses count, what is answered, and eight pictures learned by heart."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn import data
from kcnn.data.facts import facts_of
from kcnn.errors import UserError
from kcnn.evaluation import measure_boxes
from kcnn.heads import HEADS, fast_rcnn
from kcnn.models import build_model, head_of
from kcnn.recipe import Data, Recipe
from kcnn.training import Engine

SIDE, CLASSES = 96, 3
BOXES = [name for name, kind in HEADS.items() if kind.task == "boxes"]
SMALL = {"filters": 16}


def small(name, **options):
    return head_of(name, num_classes=CLASSES, **SMALL | options)


def network(head, **options):
    return build_model("resnet_toy", head, input_shape=(SIDE, SIDE, 3), stem="standard", **options)


def batch_of(rng, count=2, places=3):
    low = rng.uniform(0, SIDE - 40, (count, places, 2))
    boxes = np.concatenate([low, low + rng.uniform(12, 40, (count, places, 2))], -1).astype("float32")
    classes = rng.integers(0, CLASSES, (count, places)).astype("int32")
    image = rng.uniform(0, 255, (count, SIDE, SIDE, 3)).astype("float32")
    found = {"image": image, "boxes": boxes, "classes": classes, "weight": np.ones(count, "float32")}
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    low, high = boxes[..., :2, None, None], boxes[..., 2:, None, None]
    found["masks"] = (low[:, :, 0] < x) & (x < high[:, :, 0]) & (low[:, :, 1] < y) & (y < high[:, :, 1])
    return {key: tf.constant(value) for key, value in found.items()}


def losses(head, model, batch):
    return [part.numpy() for part in head.loss(head.targets(batch), model(batch["image"], training=False))]


def test_there_are_heads():
    assert len(BOXES) >= 4


@pytest.mark.parametrize("name", BOXES)
def test_a_step_reaches_the_stem_and_answers_have_the_shapes_they_say(name):
    rng, head = np.random.default_rng(0), small(name, most=7)
    model, batch = network(head), batch_of(rng)
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    engine = Engine(model, head, optimizer)
    sums, norms = engine.train_step(batch, tf.constant(1e-3), tf.constant(0.0))
    reached = dict(zip((v.path for v in engine.variables), norms.numpy(), strict=True))
    assert np.isfinite(sums).all() and next(norm for path, norm in reached.items() if path.endswith("kernel")) > 0
    found = {key: value.numpy() for key, value in head.decode(model(batch["image"], training=False)).items()}
    assert found["boxes"].shape == (2, 7, 4) and found["scores"].shape == found["classes"].shape == (2, 7)
    assert (np.diff(found["scores"]) <= 0).all() and (found["scores"] <= 1).all()
    for i, count in enumerate(found["count"]):
        assert (found["classes"][i, :count] >= 0).all() and (found["classes"][i, count:] == -1).all()
        assert (found["scores"][i, count:] == 0).all() and (found["boxes"][i, count:] == 0).all()


@pytest.mark.parametrize("name", BOXES)
def test_room_for_objects_that_are_not_there_changes_nothing(name):
    rng, head = np.random.default_rng(1), small(name)
    model, batch = network(head), batch_of(rng)
    roomy = batch | {
        "boxes": tf.pad(batch["boxes"], [[0, 0], [0, 2], [0, 0]]),
        "classes": tf.pad(batch["classes"], [[0, 0], [0, 2]], constant_values=-1),
        "masks": tf.pad(batch["masks"], [[0, 0], [0, 2], [0, 0], [0, 0]]),
    }
    for own, other in zip(losses(head, model, batch), losses(head, model, roomy), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-5)


@pytest.mark.parametrize("name", BOXES)
def test_samples_without_weight_or_without_objects(name):
    rng, head = np.random.default_rng(2), small(name)
    model, batch = network(head), batch_of(rng)
    total, weight = losses(head, model, batch | {"weight": tf.constant([1.0, 0.0])})
    assert total[0] > 0 and weight[0] > 0 and total[1] == weight[1] == 0
    total, weight = losses(head, model, batch | {"classes": tf.fill([2, 3], -1)})
    assert np.isfinite(total).all() and (total >= 0).all() and np.isfinite(weight).all()


@pytest.mark.parametrize("name", BOXES)
def test_a_head_is_refused_what_it_cannot_do(name):
    with pytest.raises(UserError, match="finds boxes in pictures"):
        build_model("resnet_toy", small(name), input_shape=(128, 2), stem="standard")
    for option, value in (("most", 0), ("suppression", 1.5), ("filters", 0), ("least", -1)):
        with pytest.raises(UserError, match=option):
            small(name, **{option: value})
    with pytest.raises(UserError, match="num_classes"):
        head_of(name, num_classes=0)


@pytest.mark.parametrize("name", BOXES)
def test_there_are_as_many_rows_as_are_asked_for_where_places_are_few(name):
    options = {"proposals": 12} if "rcnn" in name else {}
    head = head_of(name, num_classes=1, filters=8, most=12 if name == "mask_rcnn" else 2000, **options)
    model = build_model("resnet_toy", head, input_shape=(64, 64, 3), stem="standard")
    found = head.decode(model(np.zeros((2, 64, 64, 3), "float32"), training=False))
    assert all(part.shape[1] == head.most for key, part in found.items() if key != "count")


def test_outlines_are_learned_in_proposals_before_anything_is_answered():
    head = small("mask_rcnn", most=5, proposals=12, least=0.9)
    model = network(head)
    image = batch_of(np.random.default_rng(0))["image"]
    for training in (False, True):
        found = model(image, training=training)
        sides = found["boxes"][..., 2:] - found["boxes"][..., :2]
        assert found["boxes"].shape == (2, 5, 4) and bool(np.max(sides) > 0) == training
    with pytest.raises(UserError, match="most is 20: .* proposals, 12"):
        small("mask_rcnn", proposals=12)


def learned_by_heart(name, steps, rate, **options):
    """The figures on eight digit scenes after `steps` on them."""
    head = head_of(name, num_classes=10, filters=32, **options)
    dataset = data.load("builtin:digit-scenes", Data(), wanted="outlines")
    samples = dataset.splits["train"].take(np.arange(8))
    dataset.splits["train"] = samples
    facts = facts_of(data.check(dataset, Data()), Recipe())
    shape = {"num_classes": 10, "framing": facts.framing}
    model = build_model("resnet_toy", head, input_shape=facts.input_shape, stem="standard", overrides={"width": 16})
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(model.trainable_variables)
    engine = Engine(model, head, optimizer, clip_norm=10.0)
    batch = next(iter(data.batches(samples, facts.input_shape, 8, training=False, **shape)))
    for step in range(steps):
        warm = min(1.0, (step + 1) / 30) * min(1.0, 3 * (steps - step) / steps)
        engine.train_step(batch, tf.constant(rate * warm), tf.constant(float(step)))
    return measure_boxes(model, head, [batch], samples, facts, samples.names)


HEART = {"yolo": (160, 4e-3), "retinanet": (200, 3e-3), "ssd": (200, 3e-3)}
HEART |= {"faster_rcnn": (300, 2e-3), "mask_rcnn": (300, 2e-3)}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "yolo" else pytest.mark.slow) for name in BOXES]
)
def test_eight_pictures_are_learned_by_heart(name):
    figures = learned_by_heart(name, *HEART[name])
    print(name, figures["map50"], figures["map"])
    assert figures["map50"] >= 0.99


@pytest.mark.parametrize("name", ["faster_rcnn", "mask_rcnn"])
def test_regions_may_come_from_outside(name):
    rng, head = np.random.default_rng(0), small(name, proposals=6, most=4)
    model, batch = network(head), batch_of(rng)
    given, outputs = fast_rcnn(model), model(batch["image"])
    again = given([batch["image"], outputs["regions"]])
    assert {"regions", "logits", "deltas"} <= set(again) < set(outputs)
    for key, value in again.items():
        np.testing.assert_allclose(value, outputs[key], atol=1e-5)
    outside = np.zeros((2, 6, 4), "float32")
    outside[:, :3] = batch["boxes"] + rng.uniform(-3, 3, (2, 3, 4))
    outside = tf.constant(outside)
    np.testing.assert_array_equal(given([batch["image"], outside])["regions"], outside)
    optimizer, targets, seen = keras.optimizers.Adam(3e-3), head.targets(batch), []
    for _ in range(12):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(head.region_loss(targets, given([batch["image"], outside], training=True)))
        optimizer.apply(tape.gradient(loss, given.trainable_variables), given.trainable_variables)
        seen.append(float(loss))
    assert seen[-1] < 0.5 * seen[0]
    found = head.decode(given([batch["image"], outside]))
    assert found["boxes"].shape == (2, 4, 4)
    with pytest.raises(UserError, match="needs a model of the head faster_rcnn or mask_rcnn"):
        fast_rcnn(network(small("retinanet")))
