"""What a process of the tests of several replicas does.

python -m tests.replicas learn KIND ANSWER NORM TASK [RESTING]: train under runtime.strategy KIND in float64, on the
TASK squares, masks or a head for boxes, in the first RESTING steps only the last layer; the chief writes the weights,
averages and scores to the .npz file ANSWER.
python -m tests.replicas drop ANSWER: dropout on two devices.
python -m tests.replicas command WORDS…: `kcnn WORDS…`, where STRUCK="7 1 SIGKILL" in the environment sends that signal
to worker 1 before step number 7, and BLIND="1" hides the data from worker 1.
"""

import json
import os
import signal
import sys
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

STEPS = {"squares": 50, "masks": 50, "retinanet": 15, "faster_rcnn": 15}  # of those with boxes more would be chaos
BATCH, CLIP = 8, {"squares": 0.5, "masks": 0.3, "retinanet": 3.0, "faster_rcnn": 1.0}
SMALL = {"retinanet": {"filters": 16, "depth": 1}, "faster_rcnn": {"filters": 16, "hidden": 16, "proposals": 20}}
TRAIN = {"train.optimizer": "adamw", "train.weight_decay": 0.01}


class Squares:
    """A head in float64: the weighted squares of the errors, so that nothing is rounded to float32 on the way."""

    def targets(self, batch):
        labels = tf.one_hot(batch["label"], 3, dtype=tf.float64)
        return labels, tf.cast(batch["weight"], tf.float64)

    def loss(self, targets, outputs):
        labels, weight = targets
        return weight * tf.reduce_sum((outputs - labels) ** 2, -1), weight

    def metrics(self, targets, outputs):
        labels, weight = targets
        return {"accuracy": (weight * tf.cast(tf.argmax(outputs, -1) == tf.argmax(labels, -1), tf.float64), weight)}


def head_for(task):
    """The head of a task: "squares", the Dice loss of a U-Net, which is one number a picture, or one for boxes."""
    from kcnn.models import head_of

    if task in SMALL:
        return head_of(task, num_classes=10, **SMALL[task])
    return Squares() if task == "squares" else head_of("unet", num_classes=3, objective="dice", filters=(16, 8))


def network(norm, task):
    """A small residual network, or a U-Net on one, in float64; each call gives the same weights.

    The last layer is made anew: that of our heads answers in float32. Heads for boxes keep theirs.
    """
    from kcnn.models import build_model, head_of

    keras.utils.set_random_seed(3)
    keras.config.set_dtype_policy("float64")
    if task in SMALL:
        keras.config.set_floatx("float64")  # what heads for boxes count in
        return build_model("resnet_toy", head_for(task), input_shape=(64, 64, 1), style={"norm": norm})
    head = head_of("classifier", num_classes=3) if task == "squares" else head_for(task)
    body = build_model("resnet_toy", head, input_shape=(16, 16, 3), style={"norm": norm})
    features = body.get_layer("pool").output if task == "squares" else body.get_layer("logits").input
    answer = keras.layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.01), name="answer")
    return keras.Model(body.input, answer(features))


def masks_of(x):
    """Class 1 where blocks of 4 x 4 places are bright, 2 where they are red; the first row is not judged."""
    blocks = x.reshape(-1, 4, 4, 4, 4, 3).mean((2, 4))
    cells = np.where(blocks[..., 0] > blocks[..., 2] + 10, 2, blocks.mean(-1) > 128).astype(np.uint8)
    masks = cells.repeat(4, 1).repeat(4, 2)
    masks[:, 0] = 255
    return masks


def material(task, recipe):
    """(samples, input shape, number of classes) of a task: some of the samples count more, and some batches little."""
    from kcnn import data

    if task in SMALL:
        samples = data.load("builtin:digit-scenes", recipe.data, 0, wanted="boxes").splits["train"].take(np.arange(27))
        shape, classes = (64, 64, 1), 10
    else:
        x = np.random.default_rng(0).integers(0, 255, (27, 16, 16, 3), dtype=np.uint8)
        y = np.arange(27) % 3 if task == "squares" else masks_of(x)
        samples, shape, classes = data.load((x, y), recipe.data, 0).splits["train"], (16, 16, 3), 3
    return replace(samples, weights=np.arange(len(samples), dtype=np.float32) % 4), shape, classes


def learn(kind, answer, norm, task, resting="0"):
    """The steps of a task, the first few of the last layer only, and an evaluation whose last batch is not full.

    All of it goes into the file `answer`.
    """
    from kcnn import data
    from kcnn.recipe import Recipe
    from kcnn.training import Engine, MovingAverage, ReplicatedEngine, make_optimizer, runtime
    from kcnn.training.team import team_of

    if kind == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    recipe = Recipe().override(TRAIN | {"runtime.strategy": kind, "runtime.threads": 1, "runtime.deterministic": True})
    runtime.prepare(recipe.runtime)
    team = team_of(recipe.runtime)
    samples, shape, classes = material(task, recipe)
    with team.scope():
        model = network(norm, task)
        optimizer = make_optimizer(recipe.train, model.trainable_variables)
        average = MovingAverage(model, 0.9)
        make = ReplicatedEngine if team.replicas > 1 else Engine
        engine = make(model, head_for(task), optimizer, clip_norm=CLIP[task], average=average, team=team)
    options = {"num_classes": classes, "shard": team.shard}
    stream = iter(data.batches(samples, shape, BATCH, training=True, **options))
    body = [layer.name for layer in model.layers[:-1]]
    first = [v.numpy() for v in model.variables]
    clipped, rested, first_loss = 0, [], None
    for step in range(STEPS[task]):
        engine.freeze(body if step < int(resting) else ())
        sums, norms = engine.train_step(next(stream), np.float32(0.003), np.float32(step))
        means = engine.means(sums)
        first_loss = means["loss"] if step == 0 else first_loss
        clipped += means["gradient_norm"] > CLIP[task]
        if step + 1 == int(resting):
            rested = [float(np.array_equal(v.numpy(), old)) for v, old in zip(model.variables, first, strict=True)]
    scores = engine.evaluate(data.batches(samples, shape, BATCH, training=False, **options))
    last = engine.means(sums)
    state = {name: variable.numpy() for name, variable in engine.state().items()}
    if team.is_chief:
        told = {f"val_{k}": v for k, v in scores.items()} | last | {"norms": np.asarray(norms)}
        np.savez(answer, replicas=team.replicas, clipped=clipped, rested=rested, first_loss=first_loss, **state, **told)
    team.meet()


class Masks(Squares):
    """A head whose metrics are the outputs themselves, summed over all samples."""

    def metrics(self, targets, outputs):
        return {f"unit {i}": (outputs[:, i], tf.ones_like(outputs[:, i])) for i in range(outputs.shape[1])}


def drop(answer):
    """Two steps of dropout on two devices, one sample each: the mean of every unit in each step, to `answer`."""
    from kcnn.layers import dropout
    from kcnn.recipe import Recipe
    from kcnn.training import ReplicatedEngine, make_optimizer, team_of

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    recipe = Recipe().override({"runtime.strategy": "mirrored"})
    team = team_of(recipe.runtime)
    with team.scope():
        keras.config.set_dtype_policy("float64")
        inputs = keras.Input((3,))
        model = keras.Model(inputs, dropout(keras.layers.EinsumDense("ab,bc->ac", 3)(inputs), 0.5, "drop"))
        model.layers[1].kernel.assign(np.eye(3))
        engine = ReplicatedEngine(
            model, Masks(), make_optimizer(recipe.train, model.trainable_variables), team=team, clip_norm=1.0
        )
    batch = {"image": tf.ones([2, 3]), "label": tf.zeros([2], tf.int32), "weight": tf.ones([2])}
    seeds, means = [], []
    for _ in range(20):
        seeds.append(next(v for v in model.variables if "seed" in v.path).numpy())
        sums, _ = engine.train_step(batch, np.float32(0), np.float32(0))
        means.append(list(engine.means(sums).values())[1:4])
    np.savez(answer, means=means, seeds=seeds)


def unseen(*_):
    from kcnn.errors import UserError

    raise UserError("there is no folder photos")


def command(*words):
    """The command line, mortal."""
    from kcnn import cli, data
    from kcnn.training import Fitting

    step = Fitting._step
    last, victim, blow = os.environ.get("STRUCK", "-1 -1 SIGKILL").split()
    index = json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {}).get("index", 0)

    def mortal_step(self, *rest):
        if (self.progress.step, index) == (int(last), int(victim)):
            os.kill(os.getpid(), getattr(signal, blow))
        step(self, *rest)

    if str(index) == os.environ.get("BLIND"):
        data.load = unseen
    Fitting._step = mortal_step
    sys.argv = ["kcnn", *words]
    cli.main()


if __name__ == "__main__":
    {"learn": learn, "drop": drop, "command": command}[sys.argv[1]](*sys.argv[2:])
