"""Networks to look at only: their variables have shapes and no values, and so take no memory and no time to draw."""

from concurrent.futures import ThreadPoolExecutor

import keras


def without_values(build, *args, **options):
    """What `build(*args, **options)` gives, none of its variables drawn.

    Keras keeps a list, one for each thread, of the variables that it still owes a value, and fills them all when a
    later scope ends, gigabytes of them: here a thread of its own builds, and its list ends with it.
    """

    def unfilled():
        with keras.StatelessScope(initialize_variables=False):
            return build(*args, **options)

    with ThreadPoolExecutor(1) as builder:
        return builder.submit(unfilled).result()
