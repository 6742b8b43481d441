"""Are heads for masks and their losses Keras and not TensorFlow? On JAX all are traced, and one takes a step."""

import importlib.util
import os
import subprocess
import sys

import pytest

from tests.test_models_jax import QUICK

PROGRAM = """
import sys
import jax
import numpy as np
import keras
from kcnn.heads import HEADS, MASK_LOSSES
from kcnn.models import build_model, head_of
from tests.unfilled import without_weights

assert keras.backend.backend() == "jax"
rng = np.random.default_rng(0)


def score(head, outputs, mask):
    total, weight = head.loss(head.targets({"mask": mask}), outputs)
    return keras.ops.sum(total) / keras.ops.sum(weight)


def shapes(variables):
    return [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in variables]


def mask_of(shape):
    mask = rng.integers(0, 3, (2, *shape[:-1])).astype("uint8")
    mask[0, :3] = 255
    return mask


cases = [(name, (64, 75, 3), {}) for name in HEADS if HEADS[name].task == "masks"]
cases += [("unet", (70, 2), {"attention": True}), ("unet", (33, 34, 40, 1), {}), ("deeplab", (70, 2), {})]
assert len(cases) >= 6
objective = "+".join(MASK_LOSSES)
for name, shape, options in cases:
    head, mask = head_of(name, num_classes=3, objective=objective, **options), mask_of(shape)
    model = without_weights("resnet_toy", head=head, input_shape=shape, stem="standard")

    def loss(learned, others, x):
        outputs, others = model.stateless_call(learned, others, x, training=True)
        return score(head, outputs, mask), (others, head.metrics(head.targets({"mask": mask}), outputs))

    learned, others = shapes(model.trainable_variables), shapes(model.non_trainable_variables)
    x = jax.ShapeDtypeStruct((2, *shape), "float32")
    _, gradients = jax.eval_shape(jax.value_and_grad(loss, has_aux=True), learned, others, x)
    assert [g.shape for g in gradients] == [v.shape for v in learned], name

shape, head = (16, 17, 3), head_of("unet", num_classes=3, objective=objective, filters=(8, 8, 8))
model = build_model("resnet_toy", head, input_shape=shape, overrides={"depths": (1, 1)})
x, mask = rng.uniform(0, 255, (2, *shape)).astype("float32"), mask_of(shape)
model.compile(keras.optimizers.SGD(0.01), lambda y, outputs: score(head, outputs, mask))
assert np.isfinite(model.train_on_batch(x, np.zeros(2)))
assert head.decode(model(x))["mask"].shape == (2, 16, 17)
assert "kcnn.layers.tensorflow_kernels" not in sys.modules
sys.stdout.write(f"traced {len(cases)}")
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs jax, which the dev extra brings")
def test_heads_for_masks_build_and_step():
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": QUICK}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("traced ")
