"""The engine for a user's own keras.Model and own tf.data batches: loop, run folder and exact resume, nothing else."""

from dataclasses import dataclass

import keras
import tensorflow as tf

from kcnn import training
from kcnn.errors import UserError
from kcnn.recipe import IN_MEMORY, Recipe
from kcnn.resources import RUNS
from kcnn.run_folder import RunFolder
from kcnn.training import runtime

ACCURACIES = {
    "sparse_categorical_crossentropy": keras.metrics.sparse_categorical_accuracy,
    "categorical_crossentropy": keras.metrics.categorical_accuracy,
    "binary_crossentropy": keras.metrics.binary_accuracy,
}


class KerasLoss:
    """A Keras loss as a head's loss: one (sum, weight) a sample; accuracy too where the loss implies which."""

    def __init__(self, loss):
        try:
            loss = keras.losses.get(loss)
        except (ValueError, TypeError):
            raise UserError(
                f"fit: loss {loss!r} is no Keras loss; give a name, a keras.losses.Loss or a function"
            ) from None
        self.call = loss.call if isinstance(loss, keras.losses.Loss) else loss
        self.name = getattr(loss, "name", getattr(loss, "__name__", ""))
        self.accuracy = ACCURACIES.get(self.name)
        self.from_logits = getattr(loss, "_fn_kwargs", {}).get("from_logits", False)
        self.main_metric = "accuracy" if self.accuracy else "loss"

    def targets(self, batch):
        """The batch's labels and weights as they are."""
        return {"label": batch["label"], "weight": batch["weight"]}

    def loss(self, targets, outputs):
        """Per sample (sum (B,), weight (B,)); what the loss leaves of other axes is averaged."""
        return self._weighed(self.call(targets["label"], outputs), targets["weight"])

    def metrics(self, targets, outputs):
        """{"accuracy": (sum, weight)} for the cross-entropies, {} for others."""
        if not self.accuracy:
            return {}
        if self.from_logits and self.accuracy is ACCURACIES["binary_crossentropy"]:
            outputs = tf.sigmoid(outputs)
        return {"accuracy": self._weighed(self.accuracy(targets["label"], outputs), targets["weight"])}

    def _weighed(self, values, weight):
        values = tf.reshape(tf.cast(values, tf.float32), [tf.shape(weight)[0], -1])
        return tf.reduce_mean(values, axis=1) * weight, weight


@dataclass(frozen=True)
class Fitted:
    """What `fit` returns: the model with its best weights, its state, and the run folder's path and history."""

    model: keras.Model
    state: str
    path: object
    history: list


def fit(model, dataset, validation=None, *, loss=None, steps_per_epoch=None, name=None, runs=RUNS, resume=False,
        seed=0, callbacks=(), console=None, **settings):  # fmt: skip
    """Train `model` on `dataset`, batches of (x, y) or (x, y, sample weight); returns `Fitted`.

    Args:
        model: any built `keras.Model`; with several inputs, x is a tuple of them or a dict by their names.
        dataset, validation: tf.data.Datasets of batches; give `steps_per_epoch` if the length is not known. To resume
            exactly, the training set must give the same batches again.
        loss: a Keras loss or its name; that of a compiled model if None.
        name: of the run folder below `runs`; with `resume` the run to go on with.
        settings: fields of the recipe's [train] section, such as epochs, optimizer, learning_rate, ema.

    Raises `UserError` for a missing loss, one of probabilities where the model gives logits, an unknown setting or a
    length that is not known.
    """
    loss = loss if loss is not None else getattr(model, "loss", None)
    if loss is None:
        raise UserError("fit needs loss=, such as 'sparse_categorical_crossentropy', or a compiled model")
    for what, batches in (("dataset", dataset), ("validation", validation)):
        _refuse_unfit(what, batches)
    steps = steps_per_epoch or int(dataset.cardinality())
    if steps < 1:
        raise UserError("the training set's length is not known: give steps_per_epoch")
    size = int(keras.tree.flatten(next(iter(dataset))[0])[0].shape[0])
    head = KerasLoss(loss)
    _refuse_logits(model, head)
    recipe = Recipe().override({f"train.{key}": value for key, value in settings.items()} | {"train.batch_size": size})
    recipe = recipe.override({"data.source": IN_MEMORY, "model.architecture": model.name, "runtime.seed": seed})
    if recipe.train.layer_decay < 1:
        raise UserError("layer_decay needs levels, which only the models of build_model name")
    runtime.prepare(recipe.runtime)
    folder = _folder(runs, name, recipe, resume)
    fitting = _fitting(model, dataset, validation, head, folder, recipe, steps, callbacks, console)
    with folder.held():
        if resume:
            fitting.restore()
        with folder.noting_its_end(f"call kcnn.fit again with name={folder.name!r} and resume=True"):
            state = fitting.run()
            if state == "finished":
                fitting.use_best()
                folder.log(state, scores={fitting.monitor: fitting.best()})
                folder.set_status(state=state)
            else:
                fitting.report_status(state, reason=fitting.reason)
    return Fitted(model, state, folder.path, folder.history())


def _fitting(model, dataset, validation, head, folder, recipe, steps, callbacks, console):
    section = recipe.train
    optimizer = training.make_optimizer(section, model.trainable_variables)
    average = training.MovingAverage(model, section.ema) if section.ema else None
    engine = training.Engine(
        model, head, optimizer, clip_norm=section.clip_norm, average=average, accumulate=section.accumulate,
        forward=training.Rematerialized(model) if section.rematerialize else None,
    )  # fmt: skip
    return training.Fitting(
        engine, folder, section, stream=lambda step: dataset.repeat().skip(step).map(_batch), steps_per_epoch=steps,
        validation=None if validation is None else validation.map(_batch), monitor=head.main_metric,
        checkpoints=training.Checkpoints(folder.checkpoints),
        callbacks=[training.ProgressBar(console), training.Watch(engine), *callbacks],
        identity=training.identity(recipe) | {"weights": [list(v.shape) for v in model.weights]},
    )  # fmt: skip


def _refuse_unfit(what, batches):
    if batches is None and what == "validation":
        return
    if not isinstance(batches, tf.data.Dataset):
        way = "tf.data.Dataset.from_tensor_slices((x, y)).batch(32)"
        raise UserError(f"fit: {what} is a {type(batches).__name__}, not a tf.data.Dataset of batches; make one: {way}")
    if int(batches.cardinality()) == 0:
        raise UserError(f"fit: {what} holds no batch")
    if not isinstance(batches.element_spec, tuple) or len(batches.element_spec) not in (2, 3):
        raise UserError(f"fit: {what} must give (x, y) or (x, y, weight), not {type(batches.element_spec).__name__}")


def _refuse_logits(model, head):
    """Raises `UserError` where the last layer is linear and a cross-entropy takes what it gives for probabilities."""
    ends = getattr(model.layers[-1] if model.layers else None, "activation", None)
    if head.accuracy and not head.from_logits and ends is keras.activations.linear:
        name = "".join(word.title() for word in head.name.split("_"))
        raise UserError(
            f"fit: {model.name} ends in logits and the loss takes probabilities; give loss="
            f"keras.losses.{name}(from_logits=True), or end the model in a softmax or sigmoid"
        )


def _folder(runs, name, recipe, resume):
    if resume:
        if not name:
            raise UserError("resume needs the name of the run to go on with")
        folder = RunFolder.open(f"{runs}/{name}")
        folder.forget_stop()
        return folder
    folder = RunFolder.create(runs, name, recipe.model.architecture)
    folder.write_recipe(recipe)
    folder.write_json("environment.json", runtime.environment())
    return folder


def _batch(x, y, weight=None):
    weight = tf.ones([tf.shape(y)[0]]) if weight is None else tf.cast(weight, tf.float32)
    return {"image": x, "label": y, "weight": weight}
