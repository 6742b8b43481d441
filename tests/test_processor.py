"""Are the kernels chosen by what the processor has, and is a user's choice left alone?"""

import os
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from kcnn import processor
from kcnn.layers import FusedBatchNormalization

# A grouped convolution, its gradient, and Keras's own beside it.
GROUPS = """
import numpy as np, tensorflow as tf
from kcnn.layers.tensorflow_kernels import GroupedConvolution2D, groups_can_learn
import keras
layers = [kind(8, 3, groups=2, padding="same") for kind in (GroupedConvolution2D, keras.layers.Conv2D)]
x = tf.constant(np.random.default_rng(0).normal(size=(2, 6, 6, 4)), tf.float32)
[layer(x) for layer in layers]
layers[1].set_weights(layers[0].get_weights())
found = []
for layer in layers:
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x) ** 2
    found.append([y, *tape.gradient(y, [x, layer.kernel.value])])
for ours, theirs in zip(*found):
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
print(groups_can_learn())
"""

ZEN3 = "processor\t: 0\nflags\t\t: fpu sse2 avx avx2 fma\n\nprocessor\t: 1\nflags\t\t: fpu avx512f\n"
ICELAKE = "processor\t: 0\nflags\t\t: fpu sse2 avx avx2 fma avx512f avx512_vnni\n"


@pytest.fixture
def told(tmp_path, monkeypatch):
    """A function that makes this machine one with such a /proc/cpuinfo, or none."""

    def tell(text, chosen=None, late=False):
        file = tmp_path / "cpuinfo"
        if text is not None:
            file.write_text(text)
        monkeypatch.setattr(processor, "CPU_INFO", str(file))
        monkeypatch.delenv(processor.SWITCH, raising=False)
        if chosen is not None:
            monkeypatch.setenv(processor.SWITCH, chosen)
        processor.is_avx2_only.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(processor, "sys", SimpleNamespace(modules={"tensorflow"} if late else {}))
            processor.choose_kernels()
        return os.environ.get(processor.SWITCH)

    yield tell
    processor.is_avx2_only.cache_clear()


def test_onednn_is_turned_on_where_tensorflow_would_not(told):
    assert told(ZEN3) == "1" and processor.fuses_badly()


@pytest.mark.parametrize("text", [ICELAKE, "processor\t: 0\nFeatures\t: fp asimd\n", "", None], ids=str)
def test_other_processors_are_left_to_tensorflow(told, text):
    assert told(text) is None and not processor.fuses_badly()


def test_a_choice_that_was_made_stays(told):
    assert told(ZEN3, "0") == "0" and not processor.fuses_badly()


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}], ids=str)
def test_the_norm_by_factors_is_the_fused_one(told, options):
    rng = np.random.default_rng(0)
    x = rng.normal(2, 3, (2, 5, 4, 6)).astype("float32")
    layer = FusedBatchNormalization(**options)
    layer.build(x.shape)
    layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.weights])
    told(ICELAKE)
    fused = layer(x, training=False)
    told(ZEN3)
    np.testing.assert_allclose(layer(x, training=False), fused, rtol=1e-5, atol=1e-5)
    assert layer(keras.ops.cast(x, "bfloat16"), training=False).dtype == layer.compute_dtype


def test_it_is_said_where_tensorflow_came_first(told, caplog):
    assert told(ZEN3, late=True) is None and not processor.fuses_badly()
    assert "import kcnn first, or set TF_ENABLE_ONEDNN_OPTS=1" in caplog.text


@pytest.mark.parametrize("switch", ["0", "1"])
def test_groups_learn_with_and_without_onednn(switch):
    environment = os.environ | {processor.SWITCH: switch}
    done = subprocess.run([sys.executable, "-c", GROUPS], env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(switch == "1")
