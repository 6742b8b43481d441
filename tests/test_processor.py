"""Are the kernels chosen by what the processor has, and is a user's choice left alone?"""

import keras
import numpy as np
import pytest

from kcnn import processor
from kcnn.layers import FusedBatchNormalization

ZEN3 = "processor\t: 0\nflags\t\t: fpu sse2 avx avx2 fma\n\nprocessor\t: 1\nflags\t\t: fpu avx512f\n"
ICELAKE = "processor\t: 0\nflags\t\t: fpu sse2 avx avx2 fma avx512f avx512_vnni\n"


@pytest.fixture
def told(tmp_path, monkeypatch):
    """A function that makes this machine one with such a /proc/cpuinfo, or none."""

    def tell(text, chosen=None):
        file = tmp_path / "cpuinfo"
        if text is not None:
            file.write_text(text)
        monkeypatch.setattr(processor, "CPU_INFO", str(file))
        monkeypatch.delenv(processor.SWITCH, raising=False)
        if chosen is not None:
            monkeypatch.setenv(processor.SWITCH, chosen)
        processor.is_avx2_only.cache_clear()
        processor.choose_kernels()
        return processor.os.environ.get(processor.SWITCH)

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
