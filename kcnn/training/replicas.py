"""The engine for several replicas: each computes its part of a batch, and all take the same step.

A replica computes as if it were alone, on copies of what a step changes besides gradients (batch statistics, seeds).
Then one sum over all replicas makes of gradients, losses and statistics those of the whole batch, and each replica
applies them to its own copy of the network. So Σ sum / Σ weight is right for every loss and every batch.
"""

import keras
import tensorflow as tf

from kcnn.training.engine import Engine, gradient_norms

SEED_STEP = 0x9E3779B1  # between the seeds of one replica and the next, so that no two drop the same units


class ReplicatedEngine(Engine):
    """An `Engine` whose team has several replicas, and in whose scope model, optimiser and average were made.

    Its batches are those of this worker: one local replica's part after another. arguments, options: as of `Engine`.
    """

    def __init__(self, *arguments, team, **options):
        self.strategy = team.strategy
        self.asks, self.asked = False, False
        self.changing = ()  # indices of the model's other variables that a step changes
        super().__init__(*arguments, team=team, **options)

    def freeze(self, layers):
        """As `Engine.freeze`."""
        before = self.frozen
        super().freeze(layers)
        if self.frozen != before:
            self.step_of_all, self.train_step = self.train_step, self._take_step

    def hear(self, asked):
        """Whether some worker was `asked` to stop before the last step; all learn of it after the same step."""
        self.asks = bool(asked)
        return self.asked

    def agreed(self, wish):
        """Whether any worker has this wish; waits for all of them."""
        return bool(self.team.add([float(wish)])[0])

    def _take_step(self, batch, rate, step):
        sums, norms, asked = self.step_of_all(batch, rate, step, tf.constant(self.asks, tf.float64))
        self.asked = bool(asked)
        return sums, norms

    def _train_step(self, batch, rate, step, asks):
        with self.strategy.scope():
            answers = self.strategy.run(self._reduced, (batch, asks))
            gradients, changed, *told = answers
            norm, sums, norms, asked = map(self._own, told)
            tf.cond(
                tf.math.is_finite(norm) & tf.math.is_finite(sums[0, 0]),
                lambda: self._apply_all(gradients, changed, rate, step),
                lambda: False,
            )
            return tf.concat([sums, tf.cast([[norm, 1.0]], tf.float64)], axis=0), norms, asked

    def _reduced(self, batch, asks):
        """On one replica: (gradients, changed variables, gradient norm, sums, norms, who asks) of the whole batch."""
        variables = self.model.non_trainable_variables
        before = [v.value + _seed_shift(v) if _is_seed(v) else tf.identity(v.value) for v in variables]
        own = [*zip(variables, before, strict=True), *((v, tf.identity(v.value)) for v in self.variables)]
        with keras.StatelessScope(own, collect_losses=True) as scope:
            gradients, _, sums = self._gradients(self._part(batch), divide=False)
            after = [scope.get_current_value(v) for v in variables]
        self.changing = [i for i, value in enumerate(after) if value is not before[i]]
        statistics = [i for i in self.changing if keras.backend.is_float_dtype(variables[i].dtype)]
        *parts, sums, asked = sum_of_all([*gradients, *(after[i] for i in statistics), sums, asks])
        for i, value in zip(statistics, parts[len(gradients) :], strict=True):
            after[i] = value / tf.cast(self.team.replicas, value.dtype)
        changed = [after[i] - _seed_shift(variables[i]) if _is_seed(variables[i]) else after[i] for i in self.changing]
        gradients = [tf.math.divide_no_nan(g, tf.cast(sums[0, 1], g.dtype)) for g in parts[: len(gradients)]]
        norms = gradient_norms(gradients)
        norm = tf.norm(norms)
        return self._clipped(gradients, norm), changed, norm, sums, norms, asked

    def _apply_all(self, gradients, changed, rate, step):
        variables = self.model.non_trainable_variables
        for i, value in zip(self.changing, changed, strict=True):
            self.strategy.extended.update(variables[i].value, lambda v, new: v.assign(new), args=(value,))
        return self._update(gradients, rate, step)

    def _eval_step(self, batch):
        def summed(batch):
            return sum_of_all([super(ReplicatedEngine, self)._eval_step(self._part(batch))])[0]

        with self.strategy.scope():
            return self._own(self.strategy.run(summed, (batch,)))

    def _part(self, batch):
        """This replica's part of its worker's batch."""
        count = self.team.replicas // self.team.workers
        place = tf.distribute.get_replica_context().replica_id_in_sync_group % count
        with tf.device("CPU:0"):  # only its own part goes to a replica's device
            parts = tf.nest.map_structure(lambda t: tf.reshape(t, [count, -1, *t.shape[1:]]), batch)
            return tf.nest.map_structure(lambda t: t[place], parts)

    def _own(self, value):
        return self.strategy.experimental_local_results(value)[0]


def sum_of_all(tensors):
    """The sums over all replicas of `tensors`, in one message a dtype."""
    context = tf.distribute.get_replica_context()
    summed = list(tensors)
    for dtype in dict.fromkeys(t.dtype for t in tensors):
        places = [i for i, t in enumerate(tensors) if t.dtype == dtype]
        flat = tf.concat([tf.reshape(tensors[i], [-1]) for i in places], 0)
        flat = context.all_reduce(tf.distribute.ReduceOp.SUM, flat)
        parts = tf.split(flat, [tensors[i].shape.num_elements() for i in places])
        for i, part in zip(places, parts, strict=True):
            summed[i] = tf.reshape(part, tensors[i].shape)
    return summed


def _is_seed(variable):
    return variable.path.endswith("seed_generator_state")


def _seed_shift(variable):
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return tf.stack([SEED_STEP * tf.cast(replica, tf.int64), 0])
