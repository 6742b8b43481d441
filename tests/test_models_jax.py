"""Are layers, architectures, heads and models Keras and not TensorFlow? Each toy row builds and steps on JAX."""

import importlib.util
import os
import subprocess
import sys

import pytest

QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
PROGRAM = """
import sys
import numpy as np
import keras
from kcnn.architectures import ARCHITECTURES
from kcnn.models import build_model, head_of

assert keras.backend.backend() == "jax"
toys = [name for name in ARCHITECTURES if name.endswith("_toy")]
assert toys
cases = [(name, (32, 33, 3), {}) for name in toys]
cases += [("resnext_toy", shape, {"depths": (1,)}) for shape in [(33, 2), (9, 10, 8, 1)]]
for name, shape, overrides in cases:
    head = head_of("classifier", num_classes=3, label_smoothing=0.1, dropout=0.1)
    model = build_model(name, head, input_shape=shape, overrides=overrides, style={"drop_path": 0.1})
    x = np.random.default_rng(0).uniform(0, 255, (4, *shape)).astype("float32")
    label = np.array([0, 1, 2, 0], "int32")

    def loss(y, outputs):
        total, weight = head.loss(head.targets({"label": y}), outputs)
        return keras.ops.sum(total) / keras.ops.sum(weight)

    model.compile(keras.optimizers.SGD(0.01), loss)
    value = model.train_on_batch(x, label)
    assert np.isfinite(value), (name, shape, value)
    assert head.decode(model(x))["scores"].shape == (4, 3)
assert "tensorflow" not in sys.modules or "kcnn.layers.tensorflow_kernels" not in sys.modules
sys.stdout.write(f"stepped {len(toys)}")
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs jax, which the dev extra brings")
def test_toy_rows_build_and_step():
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": QUICK}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("stepped ")
