"""Are layers, architectures, heads and models Keras and not TensorFlow?

On JAX each toy row builds and its gradients are traced, and a few take a step: compiling all would take minutes.
"""

import importlib.util
import os
import subprocess
import sys

import pytest

QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
PROGRAM = """
import sys
import jax
import numpy as np
import keras
from kcnn.architectures import ARCHITECTURES
from kcnn.models import build_model, head_of
from tests.unfilled import without_weights

assert keras.backend.backend() == "jax"
toys = [name for name in ARCHITECTURES if name.endswith("_toy")]
assert toys
head = head_of("classifier", num_classes=3, label_smoothing=0.1, dropout=0.1)
label = np.array([0, 1, 2, 0], "int32")


def score(outputs, label):
    total, weight = head.loss(head.targets({"label": label}), outputs)
    return keras.ops.sum(total) / keras.ops.sum(weight)


def dropping(name):
    return {"drop_path": 0.1} if ARCHITECTURES[name].row.residual else {}


def shapes(variables):
    return [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in variables]


for name in toys:
    model = without_weights(name, head=head, input_shape=(32, 33, 3), style=dropping(name))

    def loss(learned, others, x):
        outputs, others = model.stateless_call(learned, others, x, training=True)
        return score(outputs, label), others

    learned, others = shapes(model.trainable_variables), shapes(model.non_trainable_variables)
    x = jax.ShapeDtypeStruct((4, 32, 33, 3), "float32")
    _, gradients = jax.eval_shape(jax.value_and_grad(loss, has_aux=True), learned, others, x)
    assert [g.shape for g in gradients] == [v.shape for v in learned], name

cases = [(name, (32, 33, 3), {}) for name in STEPPED]
cases += [("resnext_toy", shape, {"depths": (1,)}) for shape in [(33, 2), (9, 10, 8, 1)]]
for name, shape, overrides in cases:
    model = build_model(name, head, input_shape=shape, overrides=overrides, style=dropping(name))
    x = np.random.default_rng(0).uniform(0, 255, (4, *shape)).astype("float32")
    model.compile(keras.optimizers.SGD(0.01), lambda y, outputs: score(outputs, y))
    value = model.train_on_batch(x, label)
    assert np.isfinite(value), (name, shape, value)
    assert head.decode(model(x))["scores"].shape == (4, 3)
assert "tensorflow" not in sys.modules or "kcnn.layers.tensorflow_kernels" not in sys.modules
sys.stdout.write(f"stepped {len(toys)}")
"""
STEPPED = ("resnet_toy", "mobilenet_v2_toy", "alexnet_toy")


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs jax, which the dev extra brings")
def test_toy_rows_build_and_step():
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": QUICK}
    command = [sys.executable, "-c", PROGRAM.replace("STEPPED", repr(STEPPED))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("stepped ")
