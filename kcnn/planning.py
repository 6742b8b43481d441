"""A plan: what a training will cost, from a few real steps of it. Nothing is written."""

import math
import resource
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kcnn import advice, forecast, models, session, views
from kcnn.training.faults import explained

MIB = 2**20  # bytes
WARM, LEAST, LONGEST = 2, 4, 5.0  # steps before timing, that are timed at least, and seconds after which no more are


@dataclass(frozen=True)
class Plan:
    """What a training is and costs.

    `levels` {"c1": shape without the batch}; `parameters` that learn, without those of auxiliary classifiers; `memory`
    {"weights", "optimizer", "activations": bytes}, counted from the network: see `_memory`; `peak_memory`, bytes that
    this process held at most, a step, a validation and a checkpoint included; `step_seconds` of one step of
    `batch_size` pictures, data included; `epoch_seconds` with validation; `warnings` in words; `forecasts` of more
    workers, a `forecast.Forecast` each, where they were asked for.
    """

    architecture: str
    precision: str
    input_shape: tuple[int, ...]
    levels: dict[str, tuple[int, ...]]
    parameters: int
    memory: dict[str, int]
    peak_memory: int
    batch_size: int
    steps_per_epoch: int
    epochs: int
    step_seconds: float
    epoch_seconds: float
    warnings: tuple[str, ...]
    forecasts: tuple[forecast.Forecast, ...] = ()

    def lines(self):
        """The plan as text, a fact a line."""
        yield f"{self.architecture}, input {_sides(self.input_shape)}, batch {self.batch_size}, {self.precision}"
        for level, shape in self.levels.items():
            yield f"  {level}: {_sides(shape)}"
        held = " + ".join(f"{bytes / MIB:,.0f} {name}" for name, bytes in self.memory.items())
        yield f"{self.parameters:,} trainable parameters; peak memory {self.peak_memory / MIB:,.0f} MiB"
        yield f"  counted from the network: {held} MiB"
        yield (
            f"one step {self.step_seconds:.3f} s, one epoch of {self.steps_per_epoch} steps {_time(self.epoch_seconds)}"
            f", {self.epochs} epochs {_time(self.epochs * self.epoch_seconds)}"
        )
        yield from map(self._forecast, self.forecasts)
        yield from (f"warning: {text}" for text in self.warnings)

    def _forecast(self, row):
        size = self.batch_size
        return (
            f"{row.workers} workers, each a machine like this one: a step {row.step_seconds:.3f} s, {row.faster:.1f} "
            f"times as fast (of which {row.exchange_seconds:.3f} s to add up gradients); with {size} each, "
            f"{row.more:.1f} times the pictures"
        )


def plan(recipe, source=None):
    """The `Plan` of a training of `recipe`, with forecasts; raises `UserError` for all that the training would refuse.

    What `kcnn.forecast` assumes of more workers is told there.
    """
    opened = session.settle_precision(session.prepare(recipe, source))
    made = of_session(opened)
    return replace(made, forecasts=_forecasts(opened, made.step_seconds))


def _forecasts(opened, whole):
    """Forecasts from the `whole` seconds of a step, half a step and one exchange; () where the batch has no halves."""
    train = opened.recipe.train
    if opened.team.replicas > 1 or train.batch_size % 2 or train.accumulate > 1:
        return ()
    exchange = forecast.exchange_seconds([math.prod(v.shape) for v in opened.model.trainable_variables])
    if exchange is None:
        return ()
    engine = opened.engine or session.make_engine(opened)
    stream = iter(views.batches(opened, "train", augment=opened.recipe.augment, shard=(0, 2)))
    rate = np.float32(train.learning_rate)
    with explained(train.batch_size // 2):
        half = _seconds_each(lambda: engine.train_step(next(stream), rate, np.float32(0))[0].numpy())
    return forecast.forecasts(train.batch_size, whole, half, exchange)


def of_session(opened):
    """The `Plan` of a session that is prepared; its network is trained a little by it."""
    fitting = session.make_fitting(opened, watched=False)
    fitting.open()
    model, train = opened.model, opened.recipe.train
    seconds = _seconds_each(fitting.take_step)
    epoch = seconds * fitting.steps_per_epoch + _validation_seconds(opened, fitting.engine)
    held = [variable.numpy() for variable in fitting.engine.state().values()]  # as a checkpoint holds them
    peak = _peak_memory()
    del held
    return Plan(
        architecture=opened.recipe.model.architecture, precision=opened.recipe.runtime.precision,
        input_shape=tuple(opened.facts.input_shape), levels=_shapes(model),
        parameters=sum(math.prod(v.shape) for v in models.main_part(model).trainable_variables),
        memory=_memory(opened, fitting.engine.optimizer), peak_memory=peak,
        batch_size=train.batch_size, steps_per_epoch=fitting.steps_per_epoch, epochs=train.last_epoch,
        step_seconds=seconds, epoch_seconds=epoch,
        warnings=tuple(advice.before(opened.recipe, opened.facts, model.layers, opened.team.workers)),
    )  # fmt: skip


def _seconds_each(act):
    """Seconds that one call of `act` takes once it is warm."""
    for _ in range(WARM):
        act()
    began, count = time.perf_counter(), 0
    while count < LEAST or time.perf_counter() - began < LONGEST:
        act()
        count += 1
    return (time.perf_counter() - began) / count


def _validation_seconds(opened, engine):
    """Seconds that one pass over the validation split takes."""
    if "val" not in opened.dataset.splits:
        return 0.0
    batches = views.batches(opened, "val").repeat()
    count = -(-len(opened.dataset.splits["val"]) // opened.recipe.train.batch_size)
    source = iter(batches)
    with explained(opened.recipe.train.batch_size):
        return count * _seconds_each(lambda: engine.eval_step(next(source)).numpy())


def _shapes(model):
    return {level: tuple(model.get_layer(name).output.shape[1:]) for level, name in models.levels(model).items()}


def _memory(opened, optimizer):
    """Bytes of weights with their gradients, of the optimiser's state, and of layers' outputs for one backward pass.

    The outputs are those of the pictures that this process computes at once, in the precision in which each layer
    computes; a kernel may keep less. Rematerialised ones are left out: only a few of them are there at a time.
    """
    model, train = opened.model, opened.recipe.train
    held = {
        "weights": _bytes(model.variables) + _bytes(model.trainable_variables),
        "optimizer": _bytes(optimizer.variables),
    }
    if train.rematerialize:
        return held
    outputs = [tensor for layer in model.layers for tensor in keras.tree.flatten(getattr(layer, "output", ()))]
    at_once = train.batch_size // train.accumulate // opened.team.workers
    return held | {"activations": at_once * _bytes(outputs)}


def _bytes(tensors):
    """Bytes of variables, or of a graph's tensors for one picture."""
    return sum(tf.as_dtype(tensor.dtype).size * math.prod(filter(None, tensor.shape)) for tensor in tensors)


def _peak_memory():
    """Bytes that this process held at most in main memory."""
    with suppress(OSError, StopIteration):  # Linux tells of this process alone
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _sides(shape):
    return "×".join(map(str, shape))


def _time(seconds):
    """A time as a person says it: 12 s, 3.4 min, 2.1 h."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
