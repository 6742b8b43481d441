"""The learning-rate range test (Smith 2017): the rate grows from step to step until the loss runs away.

The loss falls once the rate is large enough to matter, and rises once it is too large. Where it falls most steeply is
a good peak for a schedule, if that is at most a tenth of where it is lowest. Nothing is written but the picture.
"""

from dataclasses import dataclass

import numpy as np

from kcnn import session, views
from kcnn.errors import UserError
from kcnn.evaluation import theme
from kcnn.training.faults import explained
from kcnn.training.schedules import scale_of

LOWEST, HIGHEST, STEPS = 1e-6, 10.0, 100
AVERAGE = 0.9  # of the losses so far in the smoothed one
RUN_AWAY = 4.0  # times the lowest smoothed loss
SHARE = 0.1  # of the rate at the lowest loss that is suggested at most


@dataclass(frozen=True)
class RateCurve:
    """`rates` of the steps and the smoothed `losses` at them, and the `suggested` train.learning_rate.

    Where train.reference_batch is not the batch's size, a training's rates are `scale` times its train.learning_rate.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggested: float
    scale: float = 1.0

    def plot(self, path):
        """Draw the curve as a PNG at `path`."""
        _draw(self, path)


def find(recipe, source=None):
    """The `RateCurve` of a recipe's network, data, augmentation and optimiser; `UserError` where none fell."""
    opened = session.prepare(recipe, source)
    engine = session.make_engine(opened)
    batches = iter(views.batches(opened, "train", augment=recipe.augment))
    rates, losses = np.geomspace(LOWEST, HIGHEST, STEPS), []
    total = 0.0
    for step, rate in enumerate(rates):
        with explained(opened.recipe.train.batch_size, step):
            sums, _ = engine.train_step(next(batches), np.float32(rate), np.float32(step))
        loss = engine.means(sums)["loss"]
        if not np.isfinite(loss):
            break
        total = AVERAGE * total + (1 - AVERAGE) * loss
        losses.append(total / (1 - AVERAGE ** (step + 1)))
        if losses[-1] > RUN_AWAY * min(losses):
            break
    scale = scale_of(opened.recipe.train)
    return RateCurve(tuple(rates[: len(losses)].tolist()), tuple(losses), suggest(rates, losses, scale), scale)


def suggest(rates, losses, scale=1.0):
    """The suggested train.learning_rate of a curve, with two digits; raises `UserError` where its loss never fell."""
    if not losses:
        rule = "the loss must be a number at the first step, and is not"
        raise UserError(f"{rule}: look at the data by `kcnn check`, or set runtime.precision = 'float32'")
    lowest = int(np.argmin(losses))
    if lowest == 0 < len(losses) - 1:
        rule = f"the loss must fall at some rate between {LOWEST:g} and {HIGHEST:g}, and rose from the first step on"
        raise UserError(f"{rule}: look at the data by `kcnn check`, or try another train.optimizer or model.weights")
    slopes = np.diff(losses[: lowest + 1], prepend=losses[0])
    return float(f"{min(rates[int(np.argmin(slopes))], SHARE * rates[lowest]) / scale:.1e}")


@theme.styled
def _draw(curve, path):
    figure = theme.new_figure(6.4, 3.6)
    axes = figure.add_subplot(title="Loss while the learning rate grows")
    axes.semilogx(curve.rates, curve.losses, color=theme.BLUE)
    peak = curve.scale * curve.suggested
    axes.axvline(peak, color=theme.ORANGE, linestyle="--", linewidth=1.5)
    axes.annotate(
        f"suggested: {curve.suggested:.1e}", (peak, 1), xycoords=("data", "axes fraction"), xytext=(5, -12),
        textcoords="offset points", color=theme.ORANGE,
    )  # fmt: skip
    lowest, first = min(curve.losses), curve.losses[0]
    axes.set(xlabel="learning rate", ylabel="smoothed training loss", ylim=(0.9 * lowest, 1.2 * max(first, lowest)))
    axes.grid(axis="y")
    theme.save(figure, path)
