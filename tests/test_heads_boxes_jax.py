"""Are heads for boxes, and what they stand on, Keras and not TensorFlow? On JAX all are traced, and one answers."""

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
from kcnn.heads import HEADS
from kcnn.models import build_model, head_of
from tests.unfilled import without_weights

assert keras.backend.backend() == "jax"
rng = np.random.default_rng(0)
shape, names = (64, 64, 3), [name for name in HEADS if HEADS[name].task == "boxes"]
assert len(names) >= 5
low = rng.uniform(0, 30, (2, 3, 2))
boxes = np.concatenate([low, low + rng.uniform(12, 30, (2, 3, 2))], -1).astype("float32")
batch = {"boxes": boxes, "classes": np.array([[0, 1, -1], [2, -1, -1]], "int32")}
batch |= {"masks": rng.random((2, 3, 64, 64)) < 0.5}


def shapes(variables):
    return [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in variables]


for name in names:
    head = head_of(name, num_classes=3, filters=8)
    model = without_weights("resnet_toy", head=head, input_shape=shape, stem="standard")

    def loss(learned, others, x):
        outputs, others = model.stateless_call(learned, others, x, training=True)
        total, weight = head.loss(head.targets(batch), outputs)
        return keras.ops.sum(total) / keras.ops.sum(weight), (others, head.decode(outputs))

    learned, others = shapes(model.trainable_variables), shapes(model.non_trainable_variables)
    x = jax.ShapeDtypeStruct((2, *shape), "float32")
    (_, (_, found)), gradients = jax.eval_shape(jax.value_and_grad(loss, has_aux=True), learned, others, x)
    assert [g.shape for g in gradients] == [v.shape for v in learned], name
    assert found["boxes"].shape == (2, head.most, 4) and found["classes"].dtype == "int32", name

head = head_of("yolo", num_classes=3, filters=8)
model = build_model("resnet_toy", head, input_shape=shape, stem="standard")
found = head.decode(model(rng.uniform(0, 255, (2, *shape)).astype("float32")))
assert np.isfinite(found["boxes"]).all() and found["boxes"].shape == (2, 100, 4)
assert "kcnn.layers.tensorflow_kernels" not in sys.modules
sys.stdout.write(f"traced {len(names)}")
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs jax, which the dev extra brings")
def test_heads_for_boxes_build_and_answer():
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": QUICK}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("traced ")
