"""Learning-rate schedules: pure functions of the step, so that a resumed run needs no state for them."""

import math

from kcnn.errors import UserError
from kcnn.registry import Registry

SCHEDULES = Registry("schedule")


@SCHEDULES.register("constant")
def constant(x):
    """The peak rate all along. `x` is the share of training done, 0 to 1; the answer multiplies the peak."""
    return 1.0


@SCHEDULES.register("step")
def step(x):
    """A tenth after half of the training and a hundredth after three quarters (He et al. 2016)."""
    return 1.0 if x < 0.5 else 0.1 if x < 0.75 else 0.01


@SCHEDULES.register("cosine")
def cosine(x):
    """Half a cosine from the peak to nothing (Loshchilov & Hutter 2017)."""
    return 0.5 * (1 + math.cos(math.pi * x))


@SCHEDULES.register("one_cycle")
def one_cycle(x):
    """Up from 1/25 of the peak over the first three tenths, then a cosine down to nothing (Smith 2018)."""
    if x < 0.3:
        return 1 / 25 + (1 - 1 / 25) * 0.5 * (1 - math.cos(math.pi * x / 0.3))
    return cosine((x - 0.3) / 0.7)


@SCHEDULES.register("polynomial")
def polynomial(x):
    """(1 - x)^0.9, as in the segmentation papers (Liu et al. 2015)."""
    return (1 - x) ** 0.9


@SCHEDULES.register("restarts")
def restarts(x):
    """Cosines that restart at 1/7 and 3/7: each twice as long as the last (SGDR, Loshchilov & Hutter 2017)."""
    start, length = next((s, n) for s, n in ((3 / 7, 4 / 7), (1 / 7, 2 / 7), (0.0, 1 / 7)) if x >= s)
    return cosine((x - start) / length)


@SCHEDULES.register("cyclical")
def cyclical(x):
    """Four triangles between a tenth of the peak and the peak (Smith 2017)."""
    return 0.1 + 0.9 * (1 - abs(2 * (4 * x % 1) - 1))


@SCHEDULES.register("plateau")
def plateau(x):
    """The peak rate, halved whenever the validation score has not improved for three epochs (see `Plateau`)."""
    return 1.0


class Plateau:
    """The part of a schedule that remembers: a factor that halves after `patience` epochs without a better score."""

    def __init__(self, patience=3, factor=0.5):
        self.patience, self.factor = patience, factor
        self.state = {"scale": 1.0, "waited": 0}

    def update(self, improved):
        """Tell it of an epoch's end."""
        self.state["waited"] = 0 if improved else self.state["waited"] + 1
        if self.state["waited"] >= self.patience:
            self.state = {"scale": self.state["scale"] * self.factor, "waited": 0}


def curve(train, points=200):
    """[(epoch, rate)] at so many moments of a recipe's [train], without what a plateau does; epochs count from 0."""
    steps = 1000  # an epoch's: the shapes do not depend on how many there are
    schedule, end = Schedule(train, train.epochs * steps, steps), train.last_epoch * steps
    moments = [round(i * (end - 1) / max(points - 1, 1)) for i in range(points)]
    return [(moment / steps, schedule(moment)) for moment in moments]


def scale_of(train):
    """By which the rate of a recipe's [train] is multiplied, for a batch of another size than it was chosen for."""
    return train.batch_size / train.reference_batch if train.reference_batch else 1.0


class Schedule:
    """The learning rate at each of `steps` steps and of the extensions after them, from a recipe's [train].

    Warm-up rises linearly over `warmup_epochs` to where the shape begins, which then covers what is left. With frozen
    epochs, training has two phases, each with a schedule of its own: the head's at the full rate, then all at
    `fine_tune_factor` of it.
    Each extension is the whole shape again over its own epochs, without warm-up, from `extend_factor` of the last peak.
    """

    def __init__(self, train, steps, steps_per_epoch):
        self.shape = SCHEDULES[train.schedule]
        self.peak = train.learning_rate * scale_of(train)
        self.steps, self.first_phase = steps, train.freeze_epochs * steps_per_epoch
        self.factor = train.fine_tune_factor if train.freeze_epochs else 1.0
        self.warmup = train.warmup_epochs * steps_per_epoch
        self.extensions = [(start * steps_per_epoch, n * steps_per_epoch) for start, n in reversed(train.extensions)]
        self.extend_factor = train.extend_factor
        if self.first_phase >= steps and train.freeze_epochs:
            raise UserError(
                f"train.freeze_epochs must be below train.epochs, not {train.freeze_epochs} of {train.epochs}"
            )
        if self.warmup >= steps - self.first_phase:
            raise UserError(
                f"train.warmup_epochs must be below train.epochs, not {train.warmup_epochs} of {train.epochs}"
            )

    def __call__(self, step):
        """The rate of `step`, counted from 0."""
        for start, steps in self.extensions:
            if step >= start:
                return self.peak * self.factor * self.extend_factor * self.shape((step - start) / steps)
        if step < self.first_phase:
            return self.peak * self.shape(step / self.first_phase)
        step, steps = step - self.first_phase, self.steps - self.first_phase
        if step < self.warmup:
            return self.peak * self.factor * self.shape(0.0) * (step + 1) / (self.warmup + 1)
        return self.peak * self.factor * self.shape((step - self.warmup) / (steps - self.warmup))
