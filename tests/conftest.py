"""What all tests share: quiet TensorFlow, the offline data sets, a seed."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path  # noqa: E402

import kcnn  # noqa: E402, F401  (before TensorFlow, for which it chooses kernels)

# isort: split
import numpy as np  # noqa: E402
import pytest  # noqa: E402

from tests.crash.nursery import Nursery  # noqa: E402

DATA_FOLDERS = ("TFDS_DATA_DIR", "KCNN_DATA")


def pytest_collection_modifyitems(items):
    """Skip tests marked needs_data, with the reason, where the data sets are absent."""
    absent = [name for name in DATA_FOLDERS if not Path(os.environ.get(name, "")).is_dir() or not os.environ.get(name)]
    if absent:
        skip = pytest.mark.skip(reason=f"needs the offline data sets: {' and '.join(absent)} must name their folders")
        for item in items:
            if "needs_data" in item.keywords:
                item.add_marker(skip)


@pytest.fixture
def data_folder():
    """The folder of offline data sets (for tests marked needs_data)."""
    return Path(os.environ["KCNN_DATA"])


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    """A process that forks children which train, resume and are killed."""
    with Nursery(tmp_path_factory.mktemp("nursery") / "log.txt") as opened:
        yield opened


@pytest.fixture
def rng():
    """A random generator with a fixed seed."""
    return np.random.default_rng(0)
