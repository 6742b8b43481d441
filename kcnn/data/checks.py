"""Checks before training."""

from kcnn.errors import UserError


def check(dataset, options, progress=None):
    """The data set with what cannot be used set aside."""
    if dataset.num_classes < 2 and not dataset.multi_label:
        raise UserError(
            f"data has one class ({', '.join(dataset.class_names)}); a classifier needs two or more: "
            "give each class a folder, name or number of its own"
        )
    return dataset
