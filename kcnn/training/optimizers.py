"""Optimisers, with weight decay kept off norms and biases."""

import keras
import tensorflow as tf

from kcnn.registry import Registry

OPTIMIZERS = Registry("optimizer")


@OPTIMIZERS.register("sgd")
def sgd(train):
    """Stochastic gradient descent with (Nesterov's) momentum."""
    nesterov = train.nesterov and train.momentum > 0
    return keras.optimizers.SGD(momentum=train.momentum, nesterov=nesterov, weight_decay=_decay(train))


@OPTIMIZERS.register("adam")
def adam(train):
    """Adam (Kingma & Ba 2015)."""
    return keras.optimizers.Adam(weight_decay=_decay(train))


@OPTIMIZERS.register("adamw")
def adamw(train):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""
    return keras.optimizers.AdamW(weight_decay=train.weight_decay)


@OPTIMIZERS.register("rmsprop")
def rmsprop(train):
    """RMSprop with momentum, as MobileNet and Inception were trained."""
    return keras.optimizers.RMSprop(momentum=train.momentum, weight_decay=_decay(train))


def _decay(train):
    return train.weight_decay or None


def make_optimizer(train, variables):
    """The built optimiser of a recipe's [train] for `variables`; its rate is set before every step.

    Each step shrinks a kernel by rate × weight_decay, apart from the gradient; vectors (biases, scales and offsets
    of norms) are left alone.
    """
    optimizer = OPTIMIZERS[train.optimizer](train)
    if train.weight_decay:
        optimizer.exclude_from_weight_decay(var_list=[v for v in variables if len(v.shape) < 2])
    optimizer.build(variables)
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        # Summing over one replica changes nothing, but TensorFlow keeps its gradient, and with it the whole graph of
        # the step, for as long as the process lives: 5 MiB a training.
        optimizer._all_reduce_sum_gradients = lambda pairs: pairs
    return optimizer
