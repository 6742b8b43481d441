"""Each tip of the field is provoked: a default that holds, a check that bites, a warning that is spoken."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

import kcnn
from kcnn import advice, data, layers, session
from kcnn.advice import TIPS
from kcnn.data import Facts
from kcnn.recipe import Recipe
from kcnn.rehearsal import Rehearsal
from kcnn.training import OPTIMIZERS, Engine, Watch, make_optimizer
from kcnn.training.watch import DeadUnits

PROVOKED = {}


def provokes(name):
    """Marks the test of a tip."""

    def mark(test):
        PROVOKED.setdefault(name, []).append(test)
        return test

    return mark


def test_every_tip_is_provoked():
    assert TIPS and set(PROVOKED) == set(TIPS)


def facts(counts=(500, 500)):
    names = tuple(f"class {i}" for i in range(len(counts)))
    sizes = {"train": sum(counts)}
    return Facts(class_names=names, input_shape=(32, 32, 3), class_counts=counts, split_sizes=sizes)


def said(counts=(500, 500), workers=1, **settings):
    """What is said before a training of the toy network."""
    recipe = Recipe().override({key.replace("__", "."): value for key, value in settings.items()})
    style = recipe.model.style
    model = kcnn.build_model("resnet_toy", input_shape=(32, 32, 3), num_classes=len(counts), style=style)
    return " ".join(advice.before(recipe, facts(counts), model.layers, workers))


def test_nothing_is_said_where_nothing_is_wrong():
    assert said() == ""
    assert advice.after([row(1, 1.0, 1.0), row(2, 0.5, 0.6)]) == []


@provokes("pretrained weights for few pictures")
def test_few_pictures():
    assert "start from trained weights (model.weights), or augment" in said((60, 60))
    assert "or augment" not in said((60, 60), augment__mixup=0.2)
    assert said((60, 60), model__weights="runs/a", train__batch_size=16) == ""


@provokes("class imbalance")
def test_imbalance():
    assert "class 'class 1' has 90 training pictures" in said((2000, 90))
    assert said((2000, 90), train__class_weights="balanced") == ""


@provokes("small batches and batch norm")
def test_small_batches():
    assert "model.style = {norm = 'group'}" in said(train__batch_size=4)
    assert said(train__batch_size=4, model__style={"norm": "group"}) == ""
    assert said(train__batch_size=4, model__style={"norm": "frozen_batch"}) == ""
    text = "batch norm over 4 pictures (16 in 4 parts, train.accumulate) is noisy: train.batch_size = 32 or more"
    assert text in said(train__batch_size=16, train__accumulate=4)


@provokes("pictures to be mixed with")
def test_mixing_with_nobody():
    text = "augment.mixup and augment.mosaic cannot mix: a step sees one picture on each of 16 workers; set train.batch"
    assert text in said(workers=16, train__batch_size=16, augment__mixup=0.2, augment__mosaic=0.5)
    assert "augment.cutmix cannot mix: a step sees one picture; set train.batch_size = 2" in said(
        train__batch_size=1, augment__cutmix=1.0
    )
    assert said(workers=16, train__batch_size=32, augment__mixup=0.2) == said(train__batch_size=16) == ""


def row(epoch, loss, val_loss, accuracy=0.9, val_accuracy=0.85):
    return {
        "epoch": epoch, "loss": loss, "val_loss": val_loss, "accuracy": accuracy, "val_accuracy": val_accuracy,
    }  # fmt: skip


@provokes("batches nearly as large as the data")
def test_few_steps_an_epoch():
    assert "90 training pictures in batches of 64 make 1 step an epoch: train.batch_size = 16" in said((45, 45))
    assert "step" not in said((45, 45), train__batch_size=16)


@provokes("overfitting")
def test_overfitting():
    rising = [row(1, 1.0, 1.0), row(2, 0.5, 0.7), row(3, 0.2, 0.9)]
    assert "best in epoch 2 and rose from 0.700 to 0.900" in advice.after(rising)[0]
    assert "training accuracy 0.99, validation 0.60" in advice.after([row(1, 0.1, 1.0, 0.99, 0.6)])[0]


@provokes("a tenth of the rate when fine-tuning")
def test_fine_tuning_rate():
    from kcnn.training.schedules import Schedule

    train = Recipe().override({"train.freeze_epochs": 2, "train.epochs": 4, "train.schedule": "constant"}).train
    rate = Schedule(train, 40, 10)
    assert rate(25) == pytest.approx(rate(5) / 10)


@provokes("norm after convolution, before activation")
def test_order_in_a_block():
    model = kcnn.build_model("resnet_toy", input_shape=(32, 32, 3), num_classes=2)
    after = {}
    for layer in model.layers:
        for tensor in layer._inbound_nodes[0].input_tensors if layer._inbound_nodes else ():
            after.setdefault(tensor._keras_history.operation.name, []).append(layer)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert convolutions
    for layer in convolutions:
        (norm,) = after[layer.name]
        assert isinstance(norm, keras.layers.BatchNormalization)
        assert all(isinstance(a, (keras.layers.Activation, keras.layers.Add)) for a in after[norm.name])


@provokes("He initialisation with ReLU")
def test_he_initialisation():
    kernel = layers.Style().initializer()((3, 3, 64, 128))
    assert float(keras.ops.std(kernel)) == pytest.approx(np.sqrt(2 / (9 * 128)), rel=0.02)


@provokes("global pooling instead of large dense layers")
def test_global_pooling():
    assert Recipe().model.top == "pooled"
    vgg = kcnn.build_model("vgg16", input_shape=(64, 64, 3), num_classes=10)
    assert vgg.count_params() < 16_000_000  # 138 million with its own dense layers


@provokes("twice the filters at half the size")
def test_filters_double():
    from kcnn.models import levels

    model = kcnn.build_model("resnet18", input_shape=(64, 64, 3), num_classes=2, stem="standard")
    shapes = [model.get_layer(name).output.shape for level, name in levels(model).items() if level >= "c2"]
    assert [(a[1] // b[1], b[3] // a[3]) for a, b in zip(shapes, shapes[1:], strict=False)] == [(2, 2)] * 3


@provokes("the same preprocessing everywhere")
def test_one_preprocessing(rng):
    picture = rng.integers(0, 255, (50, 70, 3), np.uint8)
    item = tf.io.encode_png(picture).numpy()
    samples = data.Samples(data.Encoded(np.array([item], object)), np.zeros(1, np.int32), np.array(["a"], object))
    stream = data.batches(samples, (32, 32, 3), 1, training=True, num_classes=2)
    seen = next(iter(stream))["image"][0].numpy()
    np.testing.assert_array_equal(seen, data.read([item], (32, 32, 3))[0][0])


@provokes("label smoothing, stochastic depth, weight decay")
def test_regularisers():
    assert Recipe().train.weight_decay == 1e-4
    model = kcnn.build_model("resnet_toy", input_shape=(32, 32, 3), num_classes=2)
    before = {v.path: v.numpy() for v in model.trainable_variables}
    train = Recipe().override({"train.weight_decay": 0.1, "train.optimizer": "sgd"}).train
    optimizer = make_optimizer(train, model.trainable_variables)
    optimizer.apply([tf.zeros(v.shape) for v in model.trainable_variables], model.trainable_variables)
    moved = {v.path for v in model.trainable_variables if not np.array_equal(v.numpy(), before[v.path])}
    assert moved == {path for path in before if path.endswith("kernel")}


@provokes("which optimiser")
def test_default_optimizer():
    assert Recipe().train.optimizer == "adamw" and {"adamw", "sgd"} <= set(OPTIMIZERS)


def watched(norms, names=("a/kernel", "b/kernel", "c/kernel", "d/kernel")):
    """What the watch says of an epoch of steps with these gradient norms."""
    told = []
    variables = [type("V", (), {"path": name})() for name in names]
    engine = type("E", (), {"variables": variables, "norms": None, "batch": {"image": None}})()
    watch = Watch(engine, told.append)
    watch.set_model(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    watch.on_epoch_begin(0)
    for step, row in enumerate(norms):
        engine.norms = np.array(row)
        watch.on_train_batch_end(step)
    watch.on_epoch_end(0, {"data_wait": 0.0})
    watch.on_epoch_end(1, {"data_wait": 0.6})
    return told


@provokes("gradients by layer")
@provokes("clipping")
@provokes("waiting for data")
def test_gradients_that_vanish_explode_or_starve():
    fine = [[0.1, 0.2, 0.5, 1.0]] * 5
    assert [text[:3] for text in watched(fine)] == ["60%"]
    assert "gradients vanish: 1.0e-09 at a/kernel" in watched([[1e-9, 0.2, 0.5, 1.0]] * 5)[0]
    assert "set train.clip_norm = 1.1" in watched([*fine, [0.1, 0.2, 0.5, 900.0]])[0]


def test_dead_units():
    x = keras.Input((4,))
    hidden = keras.layers.Dense(10, "relu", name="hidden")
    model = keras.Model(x, keras.layers.Dense(2)(hidden(x)))
    images = np.ones((8, 4), np.float32)
    hidden.bias.assign(np.ones(10))
    hidden.kernel.assign(np.zeros((4, 10)))
    assert DeadUnits(model).warning(images) is None
    hidden.bias.assign(np.where(np.arange(10) < 7, -1, 1))
    assert "70% of the units of hidden are dead" in DeadUnits(model).warning(images)


class Sum:
    """A head for a scalar regression, as small as can be."""

    main_metric = "loss"

    def targets(self, batch):
        return batch

    def loss(self, targets, outputs):
        return keras.ops.sum(outputs, -1) + 0 * targets["weight"], targets["weight"]

    def metrics(self, targets, outputs):
        return {}


def broken(where):
    """An engine whose step makes NaN at one place: "forward", "gradient" or "weight"."""
    x = keras.Input((3,))
    y = keras.layers.Dense(4, name="first")(x)
    if where == "forward":
        y = keras.layers.Lambda(lambda v: keras.ops.log(v - 1e9), name="logarithm")(y)
    if where == "gradient":
        y = keras.layers.Lambda(lambda v: keras.ops.sqrt(v * 0.0), name="root")(y)
    model = keras.Model(x, keras.layers.Dense(2, name="last")(y))
    if where == "weight":
        model.get_layer("last").bias.assign([0.0, np.nan])
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(model.trainable_variables)
    return Engine(model, Sum(), optimizer)


@provokes("numbers that are none")
@pytest.mark.parametrize(
    ("where", "named"),
    [
        ("forward", "the output of layer logarithm"),
        ("gradient", "the gradient of first/(kernel|bias)"),
        ("weight", "the weight .*last/bias"),
    ],
)
def test_the_first_bad_tensor_is_named_and_the_step_not_taken(where, named):
    from kcnn.training.faults import not_finite

    engine = broken(where)
    before = [v.numpy() for v in engine.variables]
    batch = {"image": tf.ones((2, 3)), "weight": tf.ones(2)}
    sums, engine.norms = engine.train_step(batch, np.float32(0.1), np.float32(0))
    assert not np.isfinite(sums).all()
    for variable, value in zip(engine.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    with pytest.raises(kcnn.UserError, match=f"{named} is the first to hold NaN"):
        raise not_finite(engine, batch, 0.1, 0)


@provokes("out of memory")
def test_out_of_memory_is_one_line(tmp_path, monkeypatch):
    def full(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(Engine, "_train_step", full)
    x, y = np.zeros((20, 8, 8, 1), np.uint8), np.arange(20) % 2
    settings = {"architecture": "resnet_toy", "batch_size": 10}
    for epochs in (1, 500):  # of which the second tries precisions first
        with pytest.raises(kcnn.UserError, match="set train.batch_size = 5 "):
            kcnn.build_and_fit_classifier((x, y), epochs=epochs, runs=str(tmp_path), **settings)
    with pytest.raises(kcnn.UserError, match="set train.batch_size = 5 "):
        kcnn.find_learning_rate(Recipe(), (x, y), **settings)


def test_a_batch_that_a_validation_refuses_is_one_line(tmp_path, monkeypatch):
    def refuse(*_):
        raise tf.errors.InvalidArgumentError(None, None, "labels must be below 2")

    monkeypatch.setattr(Engine, "_eval_step", refuse)
    x, y = np.zeros((20, 8, 8, 1), np.uint8), np.arange(20) % 2
    settings = {"architecture": "resnet_toy", "batch_size": 10, "epochs": 1, "runs": str(tmp_path)}
    for act in (kcnn.build_and_fit_classifier, lambda source, **rest: kcnn.plan(Recipe(), source, **rest)):
        with pytest.raises(kcnn.UserError, match="does not fit the network or the loss: labels must be below 2"):
            act((x, y), **settings)


@pytest.fixture
def toy(rng):
    """Pictures of two classes that differ in brightness, and the settings of a short training."""
    y = np.arange(64) % 2
    x = (rng.integers(0, 100, (64, 16, 16, 1)) + 120 * y[:, None, None, None]).astype(np.uint8)
    return (x, y), {"architecture": "resnet_toy", "batch_size": 16, "learning_rate": 0.01}


def test_a_dry_run_shows_what_would_happen_and_writes_nothing(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source, settings = toy
    seen = kcnn.dry_run(Recipe(), source, epochs=3, **settings)
    assert seen.learns and seen.losses[1] < seen.losses[0] and len(seen.plan.levels) > 2
    assert seen.plan.parameters > 1000 and min(seen.plan.memory.values()) > 0 and seen.plan.steps_per_epoch == 3
    text = "\n".join(seen.lines())
    assert (
        text.startswith("resnet_toy, input 16×16×1")
        and "by heart" in text
        and "it can learn" in text
        and "few: start from trained weights" in text
    )
    assert not list(tmp_path.iterdir())


def test_a_dry_run_sees_a_network_that_cannot_learn(toy):
    source, settings = toy
    seen = kcnn.dry_run(Recipe(), source, **settings | {"learning_rate": 1e-12})
    assert not seen.learns and "does NOT learn" in "\n".join(seen.lines())


def test_a_dry_run_of_a_detector_judges_by_its_loss():
    settings = {"architecture": "resnet_toy", "model.stem": "standard", "data.image_size": 64, "data.limit": 32}
    seen = kcnn.dry_run("detect/digit_scenes", batch_size=8, **settings)
    assert seen.score is None and seen.losses[1] < seen.losses[0] and "right" not in list(seen.lines())[-1]


def test_detectors_are_trained_steadily_unless_the_recipe_says_otherwise():
    own = {"model.head": "ssd", "train.epochs": 1, "train.ema": 0.9}
    train = session.as_its_head_needs(Recipe().override(own)).train
    assert (train.clip_norm, train.ema) == (10.0, 0.9) and 0 < train.warmup_epochs < 0.5
    assert session.as_its_head_needs(Recipe().override({"model.head": "yolo"})).train.warmup_epochs == 1
    rising = session.as_its_head_needs(Recipe().override({"model.head": "yolo", "train.schedule": "one_cycle"}))
    assert rising.train.warmup_epochs == 0
    assert session.as_its_head_needs(Recipe()) == Recipe()


def test_a_dry_run_starts_from_the_weights_that_training_starts_from(toy, tmp_path):
    source, settings = toy
    trained = kcnn.build_and_fit_classifier(source, epochs=6, runs=str(tmp_path), **settings)
    chance = np.log(2)
    for style in ({}, {"norm": "frozen_batch"}):  # whose statistics are those of the weights
        more = {"weights": str(trained.path), "model.style": style, "model.dropout": 0.5}
        seen = kcnn.dry_run(Recipe(), source, **settings | more)
        assert seen.losses[0] < 0.1 * chance and seen.score == 1 and seen.learns
    assert kcnn.dry_run(Recipe(), source, **settings).losses[0] > 0.5 * chance


def test_pictures_that_were_known_before_need_no_large_fall():
    known = [Rehearsal(None, losses, score).learns for losses, score in (((1e-3, 9e-4), 1.0), ((1e-3, 1e-3), 1.0))]
    assert known == [True, False]
    assert not Rehearsal(None, (0.7, 0.6), 0.9).learns and Rehearsal(None, (0.7, 0.2), 0.9).learns


def test_warnings_reach_log_events_and_report(toy, tmp_path, caplog):
    (x, y), settings = toy
    with caplog.at_level(logging.WARNING):
        run = kcnn.build_and_fit_classifier((x, y), epochs=1, runs=str(tmp_path), **settings)
    assert "training pictures a class are few" in caplog.text
    assert "training pictures a class are few" in run.report.read_text()
    assert "of the time went on waiting for data" in run.report.read_text()


@provokes("leakage")
def test_leaks_are_found(rng):
    x, y = rng.integers(0, 255, (12, 16, 16, 3), np.uint8), np.arange(12) % 2
    seen = kcnn.diagnose_data({"train": (x[:8], y[:8]), "test": (x[6:], y[6:])})
    assert len(seen.of("exact_across_splits")) == 2 and seen.is_severe
    assert not kcnn.diagnose_data({"train": (x[:8], y[:8]), "test": (x[8:], y[8:])}).of("exact_across_splits")
