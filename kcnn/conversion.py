"""Foreign weights: from a .keras or .h5 file, which may run code when it is loaded, to safetensors, which cannot.

Loading such a file has been a way to run code again and again (CVE-2024-3660, CVE-2025-1550, CVE-2025-8747,
CVE-2025-9905): kcnn never does it by itself. Who trusts a file has it loaded once, in a child process of its own with
limits on time, memory and file size, an empty folder to work in and next to no environment; what it started ends
with it, and what comes back is plain tensors.
"""

import os
import resource
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from kcnn.disk import write_atomically
from kcnn.errors import UserError
from kcnn.training.weights import read_tensors

PROGRAMS = (".keras", ".h5", ".hdf5")  # files that may run code when a model is made of them
SECONDS, MEMORY, FILE = 600, 32 << 30, 8 << 30  # of processor, bytes of address space, bytes of one file
PATIENCE = 1200  # seconds that the child may take by the clock
TOLD = 4096  # bytes at the end of what the child says that are read
CHILD = """
import sys
import keras
import kcnn.layers
from safetensors.numpy import save_file
model = keras.models.load_model(sys.argv[1], compile=False, safe_mode=False)
kept = {}
for v in model.weights:
    name = v.path.removeprefix(model.name + "/")
    if name in kept:
        sys.exit(f"two of its tensors are called {name}; give its layers names that differ, and save it again")
    if "seed_generator" not in name:
        kept[name] = v.numpy()
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
        status, told = _load_in_child(path.resolve(), written, folder)
        if status or not written.is_file():
            last = (told.strip().splitlines() or ["it was killed by its limits"])[-1]
            raise UserError(f"{path} could not be loaded in its child process: {last[:300]}")
        if not read_tensors(written):
            raise UserError(f"{path} holds no weights")
        write_atomically(out, written.read_bytes())
    return out


def _load_in_child(path, written, folder):
    """(exit status, the end of what it said) of the child, which is killed with all that it started when it is done."""
    environment = {"PATH": os.defpath, "HOME": folder, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    environment |= {name: os.environ[name] for name in ("PYTHONPATH", "SYSTEMROOT") if name in os.environ}
    command = [sys.executable, "-P", "-c", CHILD, str(path), str(written)]
    options = {"cwd": folder, "env": environment, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    options |= {"start_new_session": True, "preexec_fn": _limit}
    with tempfile.TemporaryFile() as told:
        child = subprocess.Popen(command, stderr=told, **options)
        try:
            status = child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise UserError(f"{path} was not loaded within {PATIENCE} seconds") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        told.seek(max(0, told.seek(0, os.SEEK_END) - TOLD))
        return status, told.read().decode("utf-8", "replace")


def _limit():
    limits = {"RLIMIT_CPU": SECONDS, "RLIMIT_AS": MEMORY, "RLIMIT_FSIZE": FILE, "RLIMIT_CORE": 0}
    for name, most in limits.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
