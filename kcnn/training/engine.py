"""The engine: one training step and one evaluation step, for any model and any head.

A head only ever says (sum, weight) for each sample; this file alone divides, by the weight of the whole batch.
"""

import numpy as np
import tensorflow as tf

from kcnn.models import MAIN
from kcnn.training.team import Team


class Engine:
    """Steps of `model` under `head`'s loss and metrics.

    Args:
        model: a `keras.Model` from a batch's `image` to what `head.loss` and `head.metrics` read; where it says so in
            `auxiliary_weights`, with auxiliary outputs beside its main one, whose losses training adds by these weights
            and evaluation leaves out.
        head: anything with `targets(batch)`, `loss(targets, outputs)` and `metrics(targets, outputs)`.
        optimizer: a built Keras optimiser; None for evaluation only.
        clip_norm: largest global norm of the gradient, or None.
        average: a `MovingAverage` to update after each step, or None.
        accumulate: equal parts of a batch that are computed one after another, for their gradients to be added up.
        forward: what computes the model's outputs in training, if not the model itself.
        team: the `Team` that trains; this process alone if None. See `ReplicatedEngine` for one of several replicas.
    """

    def __init__(
        self, model, head, optimizer=None, *, clip_norm=None, average=None, accumulate=1, forward=None, team=None
    ):
        self.model, self.head, self.optimizer = model, head, optimizer
        self.auxiliary = getattr(model, "auxiliary_weights", None) or {}
        self.clip_norm, self.average = clip_norm, average
        self.accumulate, self.forward, self.team = accumulate, forward or model, team or Team()
        self.names, self.norms, self.batch = (), (), None  # of the last step
        self.learning = {layer.name: layer.trainable for layer in model.layers}
        self.frozen = None
        self.freeze(())

    def freeze(self, layers):
        """Train all but `layers` from the next step on; frozen batch norms use their moving statistics."""
        if self.frozen == (frozen := frozenset(layers)):
            return
        self.frozen = frozen
        for layer in self.model.layers:
            layer.trainable = self.learning[layer.name] and layer.name not in self.frozen
        self.variables = self.model.trainable_variables
        self.train_step = tf.function(self._train_step, autograph=False, reduce_retracing=True)
        self.eval_step = tf.function(self._eval_step, autograph=False, reduce_retracing=True)
        self.answer_step = tf.function(self._answer_step, autograph=False, reduce_retracing=True)

    def hear(self, asked):
        """Whether the training shall stop before the next step, if this process was `asked` to."""
        return bool(asked)

    def agreed(self, wish):
        """Whether any worker has this wish; here there is but one."""
        return bool(wish)

    def _train_step(self, batch, rate, step):
        """Update the weights on `batch`; return the sums (metrics, 2), float64, and each variable's gradient norm.

        A gradient that is not finite changes no weight: its norm tells of it.
        """
        gradients, loss, sums = self._gradients(batch) if self.accumulate == 1 else self._accumulated(batch)
        norms = gradient_norms(gradients)
        norm = tf.norm(norms)
        finite = tf.math.is_finite(norm) & tf.math.is_finite(loss)
        tf.cond(finite, lambda: self._update(self._clipped(gradients, norm), rate, step), lambda: False)
        return tf.concat([sums, tf.cast([[norm, 1.0]], tf.float64)], axis=0), norms

    def _gradients(self, batch, divide=True):
        """(gradients, loss, sums (metrics, 2)) of a batch.

        The loss is Σ sum / Σ weight over the batch plus the layers' own losses; if not `divide`, Σ weight times that.
        """
        with tf.GradientTape() as tape:
            tape.watch([v.value for v in self.variables])  # copies too, which stand for them on one of several replicas
            outputs = self.forward(batch["image"], training=True)
            targets = self.head.targets(batch)
            outputs, total, weight = self._judged(targets, outputs)
            loss, whole = tf.reduce_sum(total), tf.reduce_sum(weight)
            if divide:
                loss, whole = tf.math.divide_no_nan(loss, whole), tf.ones_like(whole)
            loss = tf.add_n([loss, *(whole * tf.cast(own, whole.dtype) for own in self.model.losses)])
        gradients = tape.gradient(loss, [v.value for v in self.variables])
        gradients = [
            tf.zeros(v.shape, v.dtype) if g is None else g for g, v in zip(gradients, self.variables, strict=True)
        ]
        sums = self._stack({"loss": (total, weight), **self.head.metrics(targets, outputs)})
        return gradients, tf.cast(loss, tf.float32), sums

    def _accumulated(self, batch):
        """What `_gradients` gives, of the parts of a batch one after another."""
        parts = tf.nest.map_structure(lambda t: tf.reshape(t, [self.accumulate, -1, *t.shape[1:]]), batch)

        def add(i, gradients, loss, sums):
            part = tf.nest.map_structure(lambda t: t[i], parts)
            more, more_loss, more_sums = self._gradients(part, divide=False)
            return i + 1, [a + b for a, b in zip(gradients, more, strict=True)], loss + more_loss, sums + more_sums

        zeros = [tf.zeros(v.shape, v.dtype) for v in self.variables]
        start = (tf.constant(0), zeros, tf.constant(0.0), tf.zeros([1, 2], tf.float64))
        shapes = (tf.TensorShape([]), [g.shape for g in zeros], tf.TensorShape([]), tf.TensorShape([None, 2]))
        _, gradients, loss, sums = tf.while_loop(
            lambda i, *_: i < self.accumulate, add, start, shapes, parallel_iterations=1
        )
        whole = sums[0, 1]  # the loss comes first
        gradients = [tf.math.divide_no_nan(g, tf.cast(whole, g.dtype)) for g in gradients]
        return gradients, tf.math.divide_no_nan(loss, tf.cast(whole, loss.dtype)), sums

    def _clipped(self, gradients, norm):
        if not self.clip_norm:
            return gradients
        scale = tf.minimum(1.0, self.clip_norm / tf.maximum(norm, 1e-12))
        return [g * tf.cast(scale, g.dtype) for g in gradients]

    def _update(self, gradients, rate, step):
        self.optimizer.learning_rate.assign(rate)
        self.optimizer.apply(gradients, self.variables)
        if self.average:
            self.average.update(step)
        return True

    def _eval_step(self, batch):
        return self._scored(batch, self._answered(batch))

    def _answer_step(self, batch):
        """(what `_eval_step` gives, the head's decoded answers); the network is run once."""
        outputs = self._answered(batch)
        return self._scored(batch, outputs), self.head.decode(outputs)

    def _scored(self, batch, outputs):
        targets = self.head.targets(batch)
        return self._stack({"loss": self.head.loss(targets, outputs), **self.head.metrics(targets, outputs)})

    def _answered(self, batch):
        outputs = self.model(batch["image"], training=False)
        return outputs[MAIN] if self.auxiliary else outputs

    def _judged(self, targets, outputs):
        """(the main output, per sample its loss and those of auxiliary outputs added by weight, per sample weight)."""
        main = outputs[MAIN] if self.auxiliary else outputs
        total, weight = self.head.loss(targets, main)
        for name, share in self.auxiliary.items():
            total += share * self.head.loss(targets, outputs[name])[0]
        return main, total, weight

    def _stack(self, sums):
        self.names = tuple(sums)
        pairs = [[tf.reduce_sum(tf.cast(part, tf.float64)) for part in pair] for pair in sums.values()]
        return tf.convert_to_tensor(pairs)

    def state(self):
        """{stable name: variable} of all that a step changes."""
        groups = {"model": self.model.variables, "optimizer": self.optimizer.variables}
        if self.average:
            groups["average"] = self.average.shadows
        return {f"{group}/{i}": v for group, variables in groups.items() for i, v in enumerate(variables)}

    def evaluate(self, batches, judge=None):
        """{metric: mean} over all `batches`, and the headline of a `judge`, who is shown the answers to each."""
        total = 0.0
        for batch in batches:
            if judge is None:
                total = total + self.eval_step(batch)
            else:
                sums, answers = self.answer_step(batch)
                judge.add(batch, answers)
                total = total + sums
        return self.means(total) | ({} if judge is None else judge.headline())

    def means(self, sums):
        """{metric: Σ sum / Σ weight} of added-up answers of a step; nothing weighed is 0.

        A metric "a/b" is a part of "a", which is the mean over its parts that weigh anything.
        """
        found = {}
        for name, (total, weight) in zip((*self.names, "gradient_norm"), np.asarray(sums), strict=False):
            parts = found.setdefault(name.partition("/")[0], [])
            parts += [float(total / weight)] if weight else []
        return {name: sum(parts) / len(parts) if parts else 0.0 for name, parts in found.items()}

    def latest_norms(self):
        """[(path, gradient norm)] of each trained variable in the last step."""
        return [(v.path, float(n)) for v, n in zip(self.variables, self.norms, strict=False)]


def gradient_norms(gradients):
    """The Euclidean norm of each gradient, float32."""
    return tf.sqrt(2 * tf.stack([tf.nn.l2_loss(tf.cast(g, tf.float32)) for g in gradients]))
