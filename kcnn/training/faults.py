"""When a step goes wrong: which tensor was the first to hold no numbers, and what to do about it."""

import keras
import numpy as np

from kcnn.errors import UserError

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


def out_of_memory(batch_size):
    """The `UserError` for a device whose memory is full."""
    return UserError(
        f"out of memory at a batch of {batch_size}: set train.batch_size = {max(1, batch_size // 2)} (and "
        f"train.reference_batch = {batch_size}, which keeps the rate right), smaller pictures by data.image_size, or "
        f"runtime.precision = 'bfloat16'"
    )


def _bad_weight(engine):
    """A weight that is itself not finite: of a damaged or diverged run that was taken up."""
    bad = next((v.path for v in engine.variables if not _all_finite(v.value)), None)
    return bad and f"the weight {bad}"


def _bad_layer(model, image):
    """The first layer whose output for `image` is not finite, as the training step computes it."""
    if not _all_finite(image):
        return "the batch of pictures"
    layers = [layer for layer in getattr(model, "layers", ()) if not isinstance(layer, keras.layers.InputLayer)]
    if not getattr(model, "inputs", None) or not all(hasattr(layer, "output") for layer in layers):
        return None if _all_finite(model(image, training=True)) else "the model's output"
    inputs = model.inputs if len(model.inputs) > 1 else model.inputs[0]
    outputs = keras.Model(inputs, [layer.output for layer in layers])(image, training=True)
    for layer, output in zip(layers, outputs if len(layers) > 1 else [outputs], strict=True):
        if not all(_all_finite(part) for part in keras.tree.flatten(output)):
            return f"the output of layer {layer.name}"
    return None


def _bad_gradient(engine):
    """The variable nearest to the loss whose gradient was not finite in the last step."""
    bad = [path for path, norm in engine.latest_norms() if not np.isfinite(norm)]
    return f"the gradient of {bad[-1]}" if bad else None


def _all_finite(tensor):
    values = keras.ops.convert_to_tensor(tensor)
    return not keras.backend.is_float_dtype(values.dtype) or bool(keras.ops.all(keras.ops.isfinite(values)))
