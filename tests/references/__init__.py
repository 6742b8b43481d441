"""What torchvision's and timm's networks answer with weights drawn by a rule, as `record.py` recorded it.

Each answer stands with the names and shapes of its network's tensors, so that tests can draw the same weights again and
need neither PyTorch nor files of weights.
"""

import gzip
import json
import zlib
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "answers.json.gz"
CLASSES, SHOWN = 1000, 16  # of the networks, and how many logits are kept


def answers():
    """{"program/its name": {"ours": architecture, "side": pixels, "gain": of `draw`,
    "shapes": {name: shape}, "logits": (2, SHOWN)}}."""
    return json.loads(gzip.decompress(FILE.read_bytes()))


def draw(shapes, gain):
    """{name: float32 array}: weights of a network by a rule; no statistic has the value that it starts from.

    gain: variance of a kernel times what it sums over: such that signals neither vanish nor explode in this network.
    """
    return {name: _tensor(name, tuple(shape), gain) for name, shape in shapes.items()}


def pictures(side):
    """Two pictures (2, side, side, 3), float32 from 0 to 255."""
    return np.random.default_rng(side).uniform(0, 255, (2, side, side, 3)).astype("float32")


def _tensor(name, shape, gain):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    kind = name.rsplit(".", 1)[-1]
    if kind == "running_var":
        values = rng.uniform(0.5, 1.5, shape)
    elif kind == "running_mean" or len(shape) < 2 and kind != "weight":
        values = rng.normal(0, 0.2, shape)
    elif len(shape) < 2:
        values = rng.uniform(0.5, 1.5, shape)
    else:
        values = rng.normal(0, 1, shape) * np.sqrt(gain / np.prod(shape[1:]))
    return np.asarray(values, "float32")
