"""Which precision is the quickest here: measured on a few real steps, which are then undone.

Half the bits are faster where a processor multiplies them by itself and most of the work is in dense convolutions, and
slower elsewhere, so that no table of networks or machines could tell.
"""

import time
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kcnn.training.faults import explained

SAFE, OTHER = "float32", "bfloat16"
STEPS = 3  # that are timed, after a first one that builds the graph
MOST_SECONDS, MOST_SHARE = 20.0, 0.02  # that trials may cost together: in all, and of the training's time
GAIN, DRIFT = 1.1, 0.02  # how much faster it must be, and how far its losses may lie from those of float32


@dataclass(frozen=True)
class Trial:
    """Steps that were taken and undone: `seconds` a step, what all of them `cost` in seconds, and their `losses`."""

    seconds: float
    cost: float
    losses: tuple[float, ...]


def trial(engine, batches, rate, limit, began=None):
    """The `Trial` of `engine` on an iterator of `batches`; None if it was given up after a step: it cost too much.

    limit: function (seconds that a step takes) -> seconds that all may cost since `began`, which is now if None.
    All state is as before afterwards.
    """
    began = time.perf_counter() if began is None else began
    kept = {name: variable.numpy() for name, variable in engine.state().items()}
    losses, times = [], []
    try:
        for step in range(STEPS + 1):
            batch, start = next(batches), time.perf_counter()
            with explained(len(batch["image"]), step):
                sums, _ = engine.train_step(batch, np.float32(rate), np.float32(step))
            losses.append(engine.means(sums)["loss"])
            times.append(time.perf_counter() - start)
            if time.perf_counter() - began > limit(min(times[1:] or times)):
                return None
    finally:
        for name, variable in engine.state().items():
            variable.assign(kept[name])
    return Trial(min(times[1:]), time.perf_counter() - began, tuple(losses))


def settle(steps, prepare, batches, rate):
    """(what `prepare` gave for the better precision, what was seen: JSON-able).

    steps: of the whole training. prepare: function (precision) -> anything with an `engine`. batches: function that
    gives an iterator of the training's first batches, the same each time. rate: the learning rate of the trial.

    Raises `UserError` for what the training itself would refuse; where only the other precision fails, it is not taken.
    """
    safe_one = prepare(SAFE)
    if MOST_SHARE * steps < STEPS + 1:
        return safe_one, {"chosen": SAFE, "why": f"{steps} steps are too few to try another"}
    safe = trial(safe_one.engine, batches(), rate, lambda seconds: budget(steps, seconds) / 2)
    if safe is None:
        rule = f"{MOST_SECONDS:.0f} s or {MOST_SHARE:.0%} of the training's time"
        return safe_one, {"chosen": SAFE, "why": f"to try another would take more than {rule}"}
    seen, rest = {"chosen": SAFE, SAFE: round(safe.seconds, 4)}, budget(steps, safe.seconds) - safe.cost
    try:
        began = time.perf_counter()  # to make another network is part of what it costs
        other_one = prepare(OTHER)
        other = trial(other_one.engine, batches(), rate, lambda _: rest, began)
    except (tf.errors.OpError, TypeError, ValueError) as error:  # what is not there in half the bits, in any layer
        told = str(error).splitlines() or [type(error).__name__]
        return safe_one, seen | {OTHER: None, "why": f"{OTHER} failed: {told[0]}"}
    seen[OTHER] = other and round(other.seconds, 4)
    if other is None or not is_better(other, safe):
        return safe_one, seen | {"why": f"{OTHER} is not faster by a tenth with the same losses"}
    return other_one, seen | {"chosen": OTHER, "why": "it is faster, with the same losses"}


def budget(steps, seconds):
    """How many seconds a trial may cost in a training of so many `steps` of so many `seconds`."""
    return min(MOST_SECONDS, MOST_SHARE * steps * seconds)


def is_better(other, safe):
    """Whether the trial `other` is faster than that in float32 by enough, with losses that are as good as the same."""
    near = np.isfinite(other.losses).all() and np.allclose(other.losses, safe.losses, rtol=DRIFT, atol=0)
    return bool(near and other.seconds * GAIN <= safe.seconds)
