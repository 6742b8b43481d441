"""Policies: tables from which each sample draws its operations. A policy only draws numbers.

A policy is programs, of which a sample draws one evenly; a program is steps; a step is a probability and choices, of
which one is drawn evenly; a choice is an operation and its magnitudes. Geometry that was drawn is multiplied into the
one matrix and so comes before colour; the papers' code does all in the drawn order.
"""

import math
from functools import lru_cache
from inspect import signature
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kcnn.data import draws as drawing
from kcnn.data.operations import OPERATIONS
from kcnn.errors import UserError
from kcnn.registry import Registry

POLICIES = Registry("augmentation policy")


class Choice(NamedTuple):
    """Magnitudes from `low` to `high` in the operation's unit: `levels` of them, or None: any.

    `mirrored`: with even chance reflected about the operation's neutral magnitude, as rotations to both sides.
    """

    operation: str
    low: float = 0.0
    high: float = 0.0
    levels: int | None = None
    mirrored: bool = False


class Step(NamedTuple):
    """One of `choices`, drawn evenly, happens with `probability`."""

    probability: float
    choices: tuple[Choice, ...]


class Policy:
    """`programs`, each a tuple of `Step`s, as arrays to draw from."""

    def __init__(self, programs):
        self.programs = tuple(tuple(program) for program in programs)
        self.length = max(map(len, self.programs))
        self.names = tuple(dict.fromkeys(c.operation for p in self.programs for s in p for c in s.choices))
        self.moves = [name for name in self.names if OPERATIONS[name].moves]
        self.turns = any(OPERATIONS[name].turns for name in self.moves)
        self.shrinks = max(math.prod(map(_shrinks, program)) for program in self.programs)
        widest = max(len(step.choices) for program in self.programs for step in program)
        shape = (len(self.programs), self.length)
        self.probability, self.count = np.zeros(shape, np.float32), np.ones(shape, np.float32)
        self.rows = np.zeros((*shape, widest, 6), np.float32)
        for i, program in enumerate(self.programs):
            for k, step in enumerate(program):
                self.probability[i, k], self.count[i, k] = step.probability, len(step.choices)
                self.rows[i, k, : len(step.choices)] = [self._row(choice) for choice in step.choices]

    def _row(self, choice):
        neutral = OPERATIONS[choice.operation].neutral
        number = self.names.index(choice.operation)
        return number, choice.low, choice.high, choice.levels or 0, choice.mirrored, neutral or 0.0

    def names_at(self, k):
        """The operations that a sample's step `k` may be."""
        choices = (c for program in self.programs if k < len(program) for c in program[k].choices)
        return tuple(dict.fromkeys(choice.operation for choice in choices))

    def draw(self, draws):
        """(operation int32 (B, length): its place in `names`, or -1 for none; magnitude float32 (B, length))."""
        program = _pick(drawing.slot(draws, "policy"), float(len(self.programs)))
        gate, choice, amount, sign = (self._slots(draws, part) for part in ("gate", "choice", "amount", "sign"))
        place = _pick(choice, tf.gather(self.count, program))
        row = tf.gather(tf.gather(self.rows, program), place, axis=2, batch_dims=2)
        number, low, high, levels, mirrored, neutral = tf.unstack(row, axis=-1)
        share = tf.where(levels > 1, tf.floor(amount * levels) / tf.maximum(levels - 1, 1.0), amount)
        magnitude = low + (high - low) * share
        magnitude = tf.where((mirrored > 0) & (sign < 0.5), 2 * neutral - magnitude, magnitude)
        happens = gate < tf.gather(self.probability, program)
        return tf.where(happens, tf.cast(number, tf.int32), -1), magnitude

    def _slots(self, draws, part):
        return tf.stack([drawing.slot(draws, f"{part}_{k}") for k in range(self.length)], -1)

    def matrix(self, draws, sides):
        """(B, 3, 3) that undoes the moves that were drawn, the last one first."""
        number, magnitude = self.draw(draws)
        matrix = tf.eye(3, batch_shape=[tf.shape(draws)[0]])
        for k in range(self.length):
            for name in self.moves:
                chosen = (number[:, k] == self.names.index(name))[:, None, None]
                matrix = tf.where(chosen, matrix @ OPERATIONS[name].apply(magnitude[:, k], sides), matrix)
        return matrix


def _shrinks(step):
    """By how much `step` makes the picture smaller at most, 1 or more."""
    return max(1.0, *(1 / choice.low for choice in step.choices if choice.operation == "zoom"), 1.0)


def _pick(uniforms, count):
    """int32: one of `count` places, evenly."""
    return tf.cast(tf.floor(uniforms * count), tf.int32)


@lru_cache(maxsize=64)
def policy_of(augment):
    """The `Policy` that the recipe's `augment` asks for, or None. Raises UserError for what it cannot mean."""
    if augment is None:
        return None
    if augment.policy and augment.steps:
        raise UserError("augment.policy and augment.steps are two policies; leave one out")
    make = POLICIES[augment.policy] if augment.policy else None
    known = signature(make).parameters if make else ()
    given = {"steps": augment.policy_steps, "magnitude": augment.policy_magnitude}
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if name not in known:
            raise UserError(f"augment.policy_{name} means nothing to {augment.policy or 'no policy'}; leave it out")
    if augment.steps:
        return Policy([[_own_step(step) for step in augment.steps]])
    return Policy(make(**given)) if make else None


def _own_step(step):
    choices = []
    for choice in step.choices:
        row = OPERATIONS[choice.operation]  # a name that is not known is refused here
        if row.field:
            raise UserError(f"augment.steps cannot hold {choice.operation}; use augment.{row.field}")
        if row.neutral is not None and choice.low is None:
            unit = "see `kcnn list augmentations` for its unit"
            raise UserError(f"augment.steps: {choice.operation} needs low and high; {unit}")
        if row.neutral is None and choice.low is not None:
            raise UserError(f"augment.steps: {choice.operation} has no magnitude: leave low and high out")
        if row.bounds is not None:
            _refuse_outside(choice, *row.bounds)
        choices.append(Choice(choice.operation, choice.low or 0.0, choice.high or 0.0))
    return Step(step.probability, tuple(choices))


def _refuse_outside(choice, least, most):
    for end, magnitude in (("low", choice.low), ("high", choice.high)):
        if not least <= magnitude <= most:  # so that nan is refused, too
            rule = f"{choice.operation} takes magnitudes from {least:g} to {most:g}"
            raise UserError(f"augment.steps: {rule}, and {end} is {magnitude:g}; give one within")
