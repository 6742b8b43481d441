"""Models whose variables have shapes and no values: quick to build and small, for tests that only look."""

from kcnn.inspection.unfilled import without_values
from kcnn.models import build_model


def without_weights(name, **options):
    """`build_model` without drawing any weight."""
    return without_values(build_model, name, **options)
