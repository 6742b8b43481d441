"""Optimisers, with weight decay kept off norms and biases."""

import keras
import tensorflow as tf

from kcnn.registry import Registry

OPTIMIZERS = Registry("optimizer")


@OPTIMIZERS.register("sgd")
def sgd(train):
    """Stochastic gradient descent with (Nesterov's) momentum."""
    nesterov = train.nesterov and train.momentum > 0
    return keras.optimizers.SGD(momentum=train.momentum, nesterov=nesterov)


@OPTIMIZERS.register("adam")
def adam(train):
    """Adam (Kingma & Ba 2015)."""
    return keras.optimizers.Adam()


@OPTIMIZERS.register("adamw")
def adamw(train):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019). Decay is decoupled everywhere here: it is Adam."""
    return keras.optimizers.Adam()


@OPTIMIZERS.register("rmsprop")
def rmsprop(train):
    """RMSprop with momentum, as MobileNet and Inception were trained."""
    return keras.optimizers.RMSprop(momentum=train.momentum)


def make_optimizer(train, variables, factors=None):
    """The built optimiser of a recipe's [train] for `variables`; its rate is set before every step.

    Each step shrinks a kernel by rate × weight_decay, apart from the gradient; vectors (biases, scales and offsets
    of norms) are left alone. `factors` {path: factor} are of the rate, and so of the decay, of single variables.
    """
    optimizer = OPTIMIZERS[train.optimizer](train)
    optimizer.build(variables)
    decays = {optimizer._var_key(v): train.weight_decay * (len(v.shape) > 1) for v in variables}
    shares = {optimizer._var_key(v): (factors or {}).get(v.path, 1.0) for v in variables}
    update = optimizer.update_step

    def update_step(gradient, variable, rate):
        key = optimizer._var_key(variable)
        rate = tf.cast(rate * shares[key], variable.dtype)
        if decays[key]:
            variable.assign_sub(variable * (rate * decays[key]))
        update(gradient, variable, rate)

    optimizer.update_step = update_step
    strategy = tf.distribute.get_strategy()
    if strategy.num_replicas_in_sync > 1:

        def update_each(gradients, variables, rate):
            pairs = zip(gradients, (v.value for v in variables), strict=True)
            optimizer._distributed_tf_update_step(strategy, pairs, rate)

        optimizer._backend_update_step = update_each  # the engine has summed the gradients, outside of any replica
    else:
        # Summing over one replica changes nothing, but TensorFlow keeps its gradient, and with it the whole graph of
        # the step, for as long as the process lives: 5 MiB a training.
        optimizer._all_reduce_sum_gradients = lambda pairs: pairs
    return optimizer
