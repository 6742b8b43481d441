"""The processor: convolution kernels that TensorFlow has for it and leaves off by itself.

TensorFlow 2.21 takes oneDNN's kernels only where a processor has instructions for neural networks. Where it has AVX2
and no AVX-512, they make training steps 1.1 to 1.7 times as fast (ResNet-18, MobileNetV2, EfficientNet-Lite0, U-Net).
"""

import logging
import os
import sys
from functools import cache

log = logging.getLogger(__name__)
SWITCH = "TF_ENABLE_ONEDNN_OPTS"  # the environment variable that TensorFlow reads when it is loaded
CPU_INFO = "/proc/cpuinfo"
FIRST = 1 << 14  # bytes: the first core tells of all


def choose_kernels():
    """Turn oneDNN on where that is quicker; a choice that was made stays.

    TensorFlow reads it when it is loaded: where that has happened, it is said and nothing is chosen.
    """
    if not is_avx2_only() or SWITCH in os.environ:
        return
    if "tensorflow" in sys.modules:
        log.warning("TensorFlow was loaded before kcnn, and trains slower so: import kcnn first, or set %s=1", SWITCH)
    else:
        os.environ[SWITCH] = "1"


def fuses_badly():
    """True where oneDNN, on this processor, computes a convolution fused with an inference norm far slower than both.

    For one picture that was 8 times the time of a whole ResNet-18.
    """
    return is_avx2_only() and os.environ.get(SWITCH) == "1"


@cache
def is_avx2_only():
    """True for an x86 processor with AVX2 and without AVX-512, where the system tells."""
    try:
        with open(CPU_INFO, encoding="utf-8", errors="replace") as file:
            flags = next((line for line in file.read(FIRST).splitlines() if line.startswith("flags")), "").split()
    except OSError:
        return False
    return "avx2" in flags and "avx512f" not in flags
