"""Foreign weights: from a .keras or .h5 file, which may run code when it is loaded, to safetensors, which cannot.

Loading such a file has been a way to run code again and again (CVE-2024-3660, CVE-2025-1550, CVE-2025-8747,
CVE-2025-9905): kcnn never does it by itself. Who trusts a file has it loaded once, in a child process of its own with
limits on time, memory and file size, an empty folder to work in and next to no environment; what comes back is plain
tensors.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from kcnn.disk import write_atomically
from kcnn.errors import UserError
from kcnn.training.weights import read_tensors

PROGRAMS = (".keras", ".h5", ".hdf5")  # files that may run code when a model is made of them
SECONDS, MEMORY, FILE = 600, 32 << 30, 8 << 30  # of processor, bytes of address space, bytes of one file
CHILD = """
import sys
import keras
import kcnn.layers
from safetensors.numpy import save_file
model = keras.models.load_model(sys.argv[1], compile=False, safe_mode=False)
names = [v.path.removeprefix(model.name + "/") for v in model.weights]
kept = {n: v.numpy() for n, v in zip(names, model.weights) if "seed_generator" not in n}
save_file(kept, sys.argv[2])
"""


def convert(path, out=None, trust=False):
    """Write the weights of the model file `path` (.keras, .h5) as safetensors to `out`, beside it by default.

    Returns the path written, for `model.weights`. Raises `UserError` without `trust`, for other kinds of files, and
    where the child process fails.
    """
    path = Path(path)
    out = Path(out or path.with_suffix(".safetensors"))
    if not path.is_file() or path.suffix.lower() not in PROGRAMS:
        raise UserError(
            f"{path} is no {' or '.join(PROGRAMS)} file; other formats hold no weights that can be taken over"
        )
    if not trust:
        raise UserError(
            f"{path} may run any code when it is loaded: convert it with --trust if you know where it comes from"
        )
    if out.exists():
        raise UserError(f"{out} exists already; choose another --out")
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, "weights.safetensors")
        done = _load_in_child(path.resolve(), written, folder)
        if done.returncode or not written.is_file():
            last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it was killed by its limits"])[-1]
            raise UserError(f"{path} could not be loaded in its child process: {last[:300]}")
        if not read_tensors(written):
            raise UserError(f"{path} holds no weights")
        write_atomically(out, written.read_bytes())
    return out


def _load_in_child(path, written, folder):
    environment = {"PATH": os.defpath, "HOME": folder, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    environment |= {name: os.environ[name] for name in ("PYTHONPATH", "SYSTEMROOT") if name in os.environ}
    command = [sys.executable, "-P", "-c", CHILD, str(path), str(written)]
    options = {"cwd": folder, "env": environment, "stdin": subprocess.DEVNULL, "preexec_fn": _limit}
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=2 * SECONDS, **options)
    except subprocess.TimeoutExpired:
        raise UserError(f"{path} was not loaded within {2 * SECONDS} seconds") from None


def _limit():
    limits = {"RLIMIT_CPU": SECONDS, "RLIMIT_AS": MEMORY, "RLIMIT_FSIZE": FILE, "RLIMIT_CORE": 0}
    for name, most in limits.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
