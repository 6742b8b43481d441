"""Whose weights a file holds, told by how many numbers it has: no network is built and no name is read for it."""

from kcnn.architectures import ARCHITECTURES

IGNORED = ("num_batches_tracked", "normalization/mean", "normalization/variance", "normalization/count")
NOT_TRAINED = (*IGNORED, "running_mean", "running_var", "moving_mean", "moving_variance")


def way_out(tensors, more=""):
    """What to do with weights {name: array} that do not fit; it names the architectures of their size, if there are."""
    alike = " and ".join(of_size(tensors))
    hint = f" ({alike} {'have' if ' and ' in alike else 'has'} as many parameters)" if alike else ""
    return f"choose the architecture{more} that they were trained with{hint}"


def of_size(tensors):
    """Names of the architectures that have as many trainable parameters as these weights, maybe for other classes.

    The last layer is any matrix of the file: with it go as many biases as it has outputs.
    """
    trained = [a for name, a in tensors.items() if a.dtype.kind == "f" and not name.endswith(NOT_TRAINED)]
    total = sum(array.size for array in trained)
    shapes = [[side for side in array.shape if side != 1] for array in trained]
    matrices = {pair for shape in shapes if len(shape) == 2 for pair in (tuple(shape), tuple(shape[::-1]))}
    return [
        name
        for name, variant in ARCHITECTURES.items()
        if any(total + (variant.row.classes - k) * (features + 1) == variant.row.params for k, features in matrices)
    ]
