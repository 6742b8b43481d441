"""A dry run: all that a training would do, once and small, before hours are spent on it. Nothing is written."""

import math
import time
from dataclasses import dataclass

import numpy as np

from kcnn import advice, models, session, training, views
from kcnn.recipe import Augment

PICTURES, STEPS = 16, 60  # what is to be learned by heart, and in at most so many steps
LEARNS_NOT = "it does NOT learn: look at data, labels and train.learning_rate, or take a larger network"
KNOWN = 0.3  # of the first loss: what is left of it at most when they are known by heart
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Rehearsal:
    """What a dry run saw.

    `levels` {"c1": shape without the batch}; `memory` {"weights", "optimizer", "activations": bytes}, an estimate of
    the least that training holds at once; `seconds` of one step of `batch_size` pictures; `losses` and `score` of the
    batch that was to be learned by heart; `warnings` in words.
    """

    architecture: str
    input_shape: tuple[int, ...]
    levels: dict[str, tuple[int, ...]]
    parameters: int
    memory: dict[str, int]
    batch_size: int
    steps_per_epoch: int
    epochs: int
    seconds: float
    losses: tuple[float, float]
    score: float
    warnings: tuple[str, ...]

    @property
    def learns(self):
        """Whether one small batch was learned by heart: if not, data, labels, rate or network are wrong."""
        return self.losses[1] < KNOWN * self.losses[0]

    def lines(self):
        """The rehearsal as text, a fact a line."""
        memory = sum(self.memory.values())
        yield f"{self.architecture}, input {'×'.join(map(str, self.input_shape))}, batch {self.batch_size}"
        for level, shape in self.levels.items():
            yield f"  {level}: {'×'.join(map(str, shape))}"
        yield f"{self.parameters:,} trainable parameters; at least {memory / 2**20:,.0f} MiB while training"
        total = self.seconds * self.steps_per_epoch * self.epochs
        yield (
            f"one step {self.seconds:.2f} s; {self.epochs} epochs of {self.steps_per_epoch} steps: about "
            f"{total / 60:.1f} minutes, without evaluation"
        )
        verdict = "it can learn" if self.learns else LEARNS_NOT
        first, last = self.losses
        pictures = min(PICTURES, self.batch_size)
        yield f"{pictures} pictures by heart: loss {first:.3f} → {last:.3f}, {self.score:.0%} right: {verdict}"
        yield from (f"warning: {text}" for text in self.warnings)


def rehearse(recipe, source=None):
    """The `Rehearsal` of a training of `recipe`; raises `UserError` for all that the training would refuse."""
    opened = session.prepare(recipe, source)
    fitting = session.make_fitting(opened, watched=False)
    fitting.open()
    seconds = _time_of_a_step(fitting)
    losses, score = _by_heart(opened)
    model, train = opened.model, opened.recipe.train
    return Rehearsal(
        architecture=recipe.model.architecture, input_shape=tuple(opened.facts.input_shape), levels=_shapes(model),
        parameters=sum(math.prod(v.shape) for v in model.trainable_variables),
        memory=_memory(model, fitting.engine.optimizer, train.batch_size), batch_size=train.batch_size,
        steps_per_epoch=fitting.steps_per_epoch, epochs=train.last_epoch, seconds=seconds, losses=losses, score=score,
        warnings=tuple(advice.before(recipe, opened.facts, model.layers)),
    )  # fmt: skip


def _time_of_a_step(fitting, times=2):
    """Seconds a step, data included, after a first one that builds the graph."""
    fitting.take_step()
    began = time.perf_counter()
    for _ in range(times):
        fitting.take_step()
    return (time.perf_counter() - began) / times


def _by_heart(opened):
    """((first loss, last loss), share right) of a few pictures, trained on by a fresh network until it knows them."""
    recipe = opened.recipe.override(
        {"train.weight_decay": 0.0, "train.label_smoothing": 0.0, "train.freeze_epochs": 0, "model.dropout": 0.0}
    )
    model, head = session.build(recipe, opened.facts)
    engine = training.Engine(model, head, training.make_optimizer(recipe.train, model.trainable_variables), clip_norm=1)
    batch = next(iter(views.batches(opened, "train", augment=Augment())))
    batch = {name: value[:PICTURES] for name, value in batch.items()}
    losses = []
    for step in range(STEPS):
        sums, _ = engine.train_step(batch, np.float32(recipe.train.learning_rate), np.float32(step))
        losses.append(engine.means(sums)["loss"])
        if losses[-1] < KNOWN * losses[0]:
            break
    return (losses[0], losses[-1]), engine.means(sums)[head.main_metric]


def _shapes(model):
    return {level: tuple(model.get_layer(name).output.shape[1:]) for level, name in models.levels(model).items()}


def _memory(model, optimizer, batch_size):
    activations = sum(math.prod(filter(None, layer.output.shape)) for layer in model.layers if hasattr(layer, "output"))
    weights = sum(math.prod(v.shape) for v in model.variables)
    return {
        "weights": 2 * FLOAT * weights,  # and their gradients
        "optimizer": FLOAT * sum(math.prod(v.shape) for v in optimizer.variables),
        "activations": FLOAT * activations * batch_size,
    }
