"""Models whose variables have shapes and no values: quick to build and small, for tests that only look."""

import keras

from kcnn.models import build_model


def without_weights(name, **options):
    """`build_model` without drawing any weight.

    Keras keeps a list of the variables it still owes a value and fills them all when a later scope ends, gigabytes of
    them: the list is dropped.
    """
    with keras.StatelessScope(initialize_variables=False):
        model = build_model(name, **options)
    keras.utils.clear_session(free_memory=False)
    return model
