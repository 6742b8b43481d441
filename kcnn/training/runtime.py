"""Seed, determinism, precision and threads: what must be set before the first tensor, and what a run ran on."""

import logging
import os
import platform
import resource
from contextlib import contextmanager
from importlib.metadata import version

import keras
import tensorflow as tf

import kcnn
from kcnn import processor

log = logging.getLogger(__name__)
PACKAGES = ("tensorflow", "keras", "numpy")


def prepare(runtime):
    """Apply a recipe's [runtime] to this process: seed, threads, determinism.

    Threads can only be set before TensorFlow's first operation; later it is said and left.
    """
    keras.utils.set_random_seed(runtime.seed)
    if runtime.threads:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(runtime.threads)
            tf.config.threading.set_inter_op_parallelism_threads(runtime.threads)
        except RuntimeError:
            log.warning("runtime.threads = %d comes too late: TensorFlow is running already", runtime.threads)
    if runtime.deterministic:
        tf.config.experimental.enable_op_determinism()


@contextmanager
def precision(runtime):
    """Within the block, layers are made for the precision of [runtime]; determinism, and auto so far, mean float32."""
    before = keras.config.dtype_policy()
    precise = runtime.deterministic or runtime.precision in ("auto", "float32")
    keras.config.set_dtype_policy("float32" if precise else f"mixed_{runtime.precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def environment(replicas=1, workers=1):
    """Versions, device, threads, numbers of replicas and workers: environment.json; a resume that differs says so."""
    return {
        "python": platform.python_version(),
        "packages": {"kcnn": kcnn.__version__, **{name: version(name) for name in PACKAGES}},
        "devices": [d.device_type for d in tf.config.get_visible_devices()],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "machine": platform.machine(),
        "onednn": os.environ.get(processor.SWITCH, "as TensorFlow chooses"),
        "replicas": replicas,
        "workers": workers,
    }


def environment_differences(before, now=None):
    """["tensorflow 2.21.0 → 2.22.0", …]: how the environment `now`, that of this process alone if None, differs."""

    def flat(e):
        return {**{k: v for k, v in e.items() if k not in ("packages", "cpu_seconds")}, **e.get("packages", {})}

    now, old = flat(now or environment()), {"replicas": 1, "workers": 1} | flat(before)
    return [f"{k} {old.get(k)} → {v}" for k, v in now.items() if old.get(k) != v]


def cpu_seconds():
    """CPU time of this process and its children so far, user and system, in seconds."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(r.ru_utime + r.ru_stime for r in spent)
