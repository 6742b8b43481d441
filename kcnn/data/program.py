"""The program of a sample: which operations on values it drew, in order, and how they are run.

All numbers of a batch are drawn at once; each picture then pays only for the operations that it drew.
"""

import functools
import itertools
import math

import tensorflow as tf

from kcnn.data import draws as drawing
from kcnn.data import motions, neighbourhood, pointwise, published  # noqa: F401  (they register what they hold)
from kcnn.data.operations import OPERATIONS
from kcnn.data.policies import policy_of

SHUFFLED = ("brightness", "contrast", "saturation", "pca_colour", "hue", "gamma")
COLOUR = (*SHUFFLED, "grey", "sharpness", "blur", "noise", "elastic", "policy", "steps")
PCA_VALUES = (0.2175, 0.0188, 0.0045)
PCA_AXES = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))


class Program:
    """What recipe.Augment `augment` does to values of pictures with `channels`: elastic, policy, colour, the rest.

    `steps`: for each step the operations it may be. Light and colour come in an order that each sample draws.
    """

    def __init__(self, augment, channels):
        self.augment, self.policy = augment, policy_of(augment)
        if augment is None:
            self.steps = []
            return
        colour = [name for name in SHUFFLED if getattr(augment, name)]
        self.colour = [name for name in colour if channels == 3 or not OPERATIONS[name].colour]
        self.tail = [name for name in ("grey", "sharpness", "blur", "noise") if getattr(augment, name)]
        own = map(self.policy.names_at, range(self.policy.length)) if self.policy else ()
        own = {k: [name for name in names if not OPERATIONS[name].moves] for k, names in enumerate(own)}
        self.own = {k: names for k, names in own.items() if names}  # a step of moves alone is the matrix's
        self.steps = [["elastic"]] * bool(augment.elastic) + list(self.own.values())
        self.steps += [self.colour] * len(self.colour)
        self.steps += [[name] for name in self.tail]

    def draw(self, draws):
        """{"choice": int32 (B, S), 0 for nothing, "amounts": float32 (B, S, 3)} from `draws`; {} if S is 0."""
        if not self.steps:
            return {}
        parts = [self._single(draws, "elastic")] if self.augment.elastic else []
        parts += self._policy(draws) if self.own else []
        parts += self._colour(draws) if self.colour else []
        parts += [self._single(draws, name) for name in self.tail]
        choice, amounts = zip(*parts, strict=True)
        return {"choice": tf.stack(choice, 1), "amounts": tf.stack(amounts, 1)}

    def run(self, picture, row):
        """`picture` (H, W, C) uint8 after the steps of its `row`: "choice" (S,) and "amounts" (S, 3)."""
        for k, names in enumerate(self.steps):
            picture = run_step(picture, names, row["choice"][k], row["amounts"][k])
        return picture

    def _policy(self, draws):
        number, magnitude = self.policy.draw(draws)
        keys = [drawing.many(draws, key, self.policy.length) for key in ("key_1", "key_2")]  # a step has its own
        for k, names in self.own.items():
            place = [names.index(name) + 1 if name in names else 0 for name in self.policy.names]
            choice = tf.gather(tf.constant([0, *place]), number[:, k] + 1)
            yield choice, tf.stack([magnitude[:, k], keys[0][:, k], keys[1][:, k]], -1)

    def _colour(self, draws):
        amounts = tf.stack([self._amounts(draws, name) for name in self.colour], 1)
        orders = list(itertools.permutations(range(len(self.colour))))
        drawn = tf.gather(tf.constant(orders), tf.cast(drawing.slot(draws, "order") * len(orders), tf.int32))
        amounts = tf.gather(amounts, drawn, batch_dims=1)
        return [(drawn[:, k] + 1, amounts[:, k]) for k in range(len(self.colour))]

    def _single(self, draws, name):
        chosen = drawing.slot(draws, name) < (self.augment.grey if name == "grey" else 1.0)
        return tf.cast(chosen, tf.int32), self._amounts(draws, name)

    def _amounts(self, draws, name):
        """(B, 3): the operation's magnitude, drawn as the recipe's field `name` says."""
        reach = getattr(self.augment, name)
        if name == "pca_colour":
            return _pca(reach, draws)
        if name == "gamma":
            return _with_chance(tf.exp(drawing.between(draws, name, -1.0, 1.0) * math.log(1 + reach)), draws)
        neutral = OPERATIONS[name].neutral or 0.0
        least = neutral if name in ("blur", "noise", "elastic") else neutral - reach
        return _with_chance(drawing.between(draws, name, least, neutral + reach), draws)


def run_step(picture, names, choice, amounts):
    """`picture` after the operation `names[choice - 1]`, or as it is where `choice` is 0."""
    fitting = [name if picture.shape[-1] == 3 or not OPERATIONS[name].colour else "identity" for name in names]
    branches = [functools.partial(OPERATIONS[name].apply, picture, amounts) for name in ("identity", *fitting)]
    return tf.ensure_shape(tf.switch_case(choice, branches), picture.shape)


def _with_chance(amount, draws):
    """(B, 3): `amount` (B,), and the two numbers from which noise and elastic have their own chance."""
    return tf.stack([amount, drawing.slot(draws, "key_1"), drawing.slot(draws, "key_2")], -1)


def _pca(deviation, draws):
    """(B, 3) of grey levels: normal amounts of `deviation` along the axes of ImageNet's colours (AlexNet, 2012)."""
    amounts = tf.stack([drawing.normal(drawing.slot(draws, f"pca_{i}")) for i in (1, 2, 3)], -1) * deviation
    return tf.linalg.matvec(tf.constant(PCA_AXES), amounts * tf.constant(PCA_VALUES)) * 255.0
