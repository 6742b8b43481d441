"""A dry run: the plan of a training, and whether its network can learn at all, before hours are spent on it."""

from dataclasses import dataclass

import numpy as np

from kcnn import planning, session, training, views
from kcnn.recipe import Augment

PICTURES, STEPS = 16, 60  # what is to be learned by heart, and in at most so many steps
LEARNS_NOT = "it does NOT learn: look at data, labels and train.learning_rate, or take a larger network"
MOST_RIGHT = 0.75  # of the places, or pictures, of the batch
KNOWN = 0.3  # of the first loss: what is left of it at most when they are known by heart


@dataclass(frozen=True)
class Rehearsal:
    """What a dry run saw: the `plan`, and `losses` (first, last) and `score` of the batch to be learned by heart.

    score: the share of it that is right; None of a head that is judged by all pictures of a split together.
    """

    plan: planning.Plan
    losses: tuple[float, float]
    score: float | None

    @property
    def learns(self):
        """Whether one small batch was learned by heart: if not, data, labels, rate or network are wrong.

        Trained weights may know it from the start, and have little loss to lose: all right and any less then will do.
        Masks take longer, and are on the way where most is right and half of the loss is gone.
        """
        first, last = self.losses
        on_the_way = self.score is not None and self.score > MOST_RIGHT and last < first / 2
        return last < KNOWN * first or (self.score == 1 and last < first) or on_the_way

    def lines(self):
        """The rehearsal as text, a fact a line."""
        yield from self.plan.lines()
        verdict = "it can learn" if self.learns else LEARNS_NOT
        first, last = self.losses
        pictures = min(PICTURES, self.plan.batch_size)
        right = "" if self.score is None else f", {self.score:.0%} right"
        yield f"{pictures} pictures by heart: loss {first:.3f} → {last:.3f}{right}: {verdict}"


def rehearse(recipe, source=None):
    """The `Rehearsal` of a training of `recipe`; raises `UserError` for all that the training would refuse."""
    opened = session.settle_precision(session.prepare(recipe, source))
    unhindered = opened.recipe.override({"train.weight_decay": 0.0, "train.label_smoothing": 0.0, "model.dropout": 0.0})
    network = session.twin(opened, unhindered)  # before the plan trains that of the session a little
    plan = planning.of_session(opened)
    return Rehearsal(plan, *_by_heart(opened, unhindered, *network))


def _by_heart(opened, recipe, model, head):
    """((first loss, last loss), share right) of a few pictures, trained on by all of the network until it knows them.

    It starts from what training starts from: weights that were trained before, or drawn ones.
    """
    engine = training.Engine(model, head, training.make_optimizer(recipe.train, model.trainable_variables), clip_norm=1)
    batch = next(iter(views.batches(opened, "train", augment=Augment())))
    batch = {name: value[:PICTURES] for name, value in batch.items()}
    losses = []
    for step in range(STEPS):
        sums, _ = engine.train_step(batch, np.float32(recipe.train.learning_rate), np.float32(step))
        losses.append(engine.means(sums)["loss"])
        if losses[-1] < KNOWN * losses[0]:
            break
    return (losses[0], losses[-1]), engine.means(sums).get(head.main_metric)
