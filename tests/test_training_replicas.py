"""Several replicas of a network, on devices or in processes, learn what one learns; each case is a process of its own.

What these processes do is in tests/replicas.py.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kcnn import workers

ROOT = Path(__file__).parents[1]


def child(kind, answer, norm, index=None, ports=()):
    """A process that trains by `tests.replicas`, alone or as worker number `index` of as many as there are `ports`."""
    cluster = {
        "cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]},
        "task": {"type": "worker", "index": index},
    }
    environment = {k: v for k, v in os.environ.items() if k != "TF_CONFIG"} | {"PYTHONPATH": str(ROOT)}
    environment |= {"TF_CONFIG": json.dumps(cluster)} if ports else {}
    words = [sys.executable, "-m", "tests.replicas", "learn", kind, str(answer), norm]
    return subprocess.Popen(words, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def learned(folder, kind, norm):
    """What training in a process, or in two as workers, came to: {name: array}."""
    answer = folder / f"{kind}.npz"
    if kind == "multi_worker":
        with workers.free_ports(2) as ports:
            pass
        children = [child(kind, answer, norm, index, ports) for index in range(2)]
    else:
        children = [child(kind, answer, norm)]
    said = [each.communicate(timeout=300)[1] for each in children]
    assert not any(each.returncode for each in children), said
    return dict(np.load(answer))


def largest_difference(one, other):
    """(name, largest relative difference) of two trainings' numbers: weights, optimizer, averages, scores."""
    assert one.keys() == other.keys()
    found = {
        name: float(np.max(np.abs(values - other[name])) / max(np.max(np.abs(values)), 1e-12))
        for name, values in one.items()
        if name != "replicas" and values.size
    }
    return max(found.items(), key=lambda pair: pair[1])


CASES = [("sync_batch", "multi_worker"), ("sync_batch", "mirrored"), ("group", "mirrored"), ("group", "multi_worker")]
CASES += [("layer", "mirrored"), ("layer", "multi_worker")]
CASES[1:] = [pytest.param(*case, marks=pytest.mark.slow) for case in CASES[1:]]


@pytest.mark.parametrize(("norm", "kind"), CASES)
def test_replicas_learn_what_one_learns(tmp_path, norm, kind):
    alone, together = learned(tmp_path, "none", norm), learned(tmp_path, kind, norm)
    assert (alone["replicas"], together["replicas"]) == (1, 2)
    assert alone["val_accuracy"] > 0.6, "it has learned something"
    name, difference = largest_difference(alone, together)
    assert difference < 1e-9, name
