"""When a step goes wrong: which tensor was the first to hold no numbers, and what to do about it."""

from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from kcnn.errors import UserError
from kcnn.training.looking import is_open, looker

ADVICE = (
    "lower train.learning_rate (it was {rate:.3g}), set train.clip_norm = 1.0 or train.warmup_epochs = 1; the last "
    "checkpoint is kept"
)


def not_finite(engine, batch, rate, step):
    """The `UserError` for a step whose loss or gradient was no number, and which was not taken.

    Names the first tensor, in the order of the computation, that holds NaN or infinity.
    """
    found = _bad_weight(engine) or _bad_layer(engine.model, batch["image"]) or _bad_gradient(engine)
    return UserError(
        f"step {step + 1}: the loss or its gradient is not finite; {found or 'the loss'} is the first to hold NaN or "
        f"infinity: {ADVICE.format(rate=float(rate))}"
    )


@contextmanager
def explained(batch_size, step=0):
    """Within the block a full memory, or a batch that TensorFlow does not compute, is a `UserError`."""
    try:
        yield
    except tf.errors.ResourceExhaustedError:
        raise out_of_memory(batch_size) from None
    except tf.errors.InvalidArgumentError as error:
        raise refused_batch(error, step) from error


def out_of_memory(batch_size):
    """The `UserError` for a device whose memory is full."""
    return UserError(
        f"out of memory at a batch of {batch_size}: set train.batch_size = {max(1, batch_size // 2)} (and "
        f"train.reference_batch = {batch_size}, which keeps the rate right), train.accumulate = 2, "
        f"train.rematerialize = true, smaller pictures by data.image_size, or runtime.precision = 'bfloat16'"
    )


def refused_batch(error, step):
    """The `UserError` for a batch that TensorFlow does not compute, such as one with labels of no class."""
    told = [line.strip() for line in error.message.splitlines() if line.strip()]
    reason = next(
        (line for line in reversed(told) if not line.startswith(("[[", "Detected", "File", "<"))), "no reason"
    )
    return UserError(f"step {step + 1}: the batch does not fit the network or the loss: {reason}")


def _bad_weight(engine):
    """A weight that is itself not finite: of a damaged or diverged run that was taken up."""
    bad = next((v.path for v in engine.variables if not _all_finite(v.value)), None)
    return bad and f"the weight {bad}"


def _bad_layer(model, image):
    """The first layer whose output for `image` is not finite, as the training step computes it."""
    if not _all_finite(image):
        return "the batch of pictures"
    if not is_open(model):
        return None if _all_finite(model(image, training=True)) else "the model's output"
    tensors = [(layer.name, part) for layer in model.layers for part in keras.tree.flatten(layer.output)]
    values = looker(model, [part for _, part in tensors])(image, training=True)
    bad = (name for (name, _), value in zip(tensors, values, strict=True) if not _all_finite(value))
    return next((f"the output of layer {name}" for name in bad), None)


def _bad_gradient(engine):
    """The variable nearest to the loss whose gradient was not finite in the last step."""
    bad = [path for path, norm in engine.latest_norms() if not np.isfinite(norm)]
    return f"the gradient of {bad[-1]}" if bad else None


def _all_finite(tensors):
    """Whether a tensor, or every one of a nest of them, holds numbers only."""
    for values in map(keras.ops.convert_to_tensor, keras.tree.flatten(tensors)):
        if keras.backend.is_float_dtype(values.dtype) and not bool(keras.ops.all(keras.ops.isfinite(values))):
            return False
    return True
