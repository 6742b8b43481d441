"""What the children of the nursery do: train, resume, extend, the command line; they tell how far they are."""

import hashlib
import json
import mmap
import os
import shutil
import signal
import struct
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np


def load():
    """Import all that a training needs, so that children need not; nothing may be computed here."""
    import matplotlib.figure  # noqa: F401
    import sklearn.metrics  # noqa: F401

    from kcnn import api  # noqa: F401


def train(options, name, progress=None, faults=None, kill_at_epoch=None):
    """Train a run from the default recipe changed by `options`, or go on with it; see `Steps` and `_faults`."""
    import kcnn

    with _faults(faults) as struck:
        steps = Steps(progress, struck, kill_at_epoch) if progress else None
        callbacks = [steps.callback()] if steps else ()
        if (Path(options["runs"]) / name).exists():
            kcnn.load_run(Path(options["runs"]) / name).resume(callbacks)
        else:
            kcnn.build_and_fit(kcnn.Recipe(), name=name, callbacks=callbacks, **options)
        if steps:
            steps.write_summary()


def extend(path, epochs, faults=None):
    """Train a finished run for more epochs."""
    import kcnn

    with _faults(faults):
        kcnn.load_run(path).extend(epochs)


def command(words, faults=None, pause=0.0, pausing=None):
    """The command line `kcnn words…`; each step but the first makes the file `pausing` and waits `pause` seconds."""
    from kcnn import cli
    from kcnn.training import Fitting

    step = Fitting._step

    def slow_step(self, *rest):
        if pausing and self.progress.step:
            Path(pausing).touch()
            time.sleep(pause)
        step(self, *rest)

    Fitting._step = slow_step
    sys.argv = ["kcnn", *map(str, words)]
    with _faults(faults):
        cli.main()


def save_checkpoint(folder, step, faults):
    """Write a checkpoint of small arrays."""
    from kcnn.training import Checkpoints

    checkpoints = Checkpoints(Path(folder))
    checkpoints.load()
    with _faults(faults):
        checkpoints.save(step, {"x": np.full(50, step, np.float32)}, {"step": step})


def repeat(options, seeds, answer):
    """Train once for each of `seeds`, one after another; the sha256 of best, last and newest tensors go to `answer`."""
    from kcnn import api, session

    told = []
    for number, seed in enumerate(seeds):
        recipe, _ = api.resolve(api.Recipe(), settings=options | {"seed": seed})
        opened = session.start(recipe, name=f"{Path(answer).stem}-{number}")
        session.train(opened)
        files = [opened.folder.best, opened.folder.last, *sorted(opened.folder.checkpoints.glob("*.safetensors"))]
        told.append(hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest())
    Path(answer).write_text(json.dumps(told))


def remember(options, times, answer):
    """Build, fit and delete so many times; the resident MiB after each go to `answer`."""
    import gc

    import kcnn

    resident = []
    for _ in range(times):
        made = kcnn.build_and_fit(kcnn.Recipe(), **options)
        shutil.rmtree(made.path)
        del made
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        resident.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
        Path(answer).write_text(json.dumps(resident))


def write_scalars(folder, limit):
    """Epochs of TensorBoard scalars where no file may grow beyond `limit` bytes."""
    import resource

    from kcnn.training import Engine, TensorBoardScalars

    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    watcher = TensorBoardScalars(folder, Engine.__new__(Engine))
    watcher.engine.latest_norms = lambda: [(f"a variable with a long name {i}", 1.0) for i in range(100)]
    for epoch in range(20):
        watcher.on_epoch_end(epoch, {"loss": 1.0})


def _faults(arguments):
    """The `Faults` to install; with "from_step" they sleep until the first step begins."""
    from tests.crash.faults import Faults

    if arguments is None:
        return nullcontext()
    faults = Faults(**{key: value for key, value in arguments.items() if key != "from_step"})
    faults.armed = not arguments.get("from_step")
    return faults.installed()


class Steps:
    """Counts the steps begun, in the first 8 bytes of the file `path`, so that whoever looks can kill between them.

    With `kill_at_epoch` the process kills itself at that epoch's end, after validation and before its checkpoint.
    """

    def __init__(self, path, faults, kill_at_epoch):
        self.path, self.faults, self.kill_at_epoch = Path(path), faults, kill_at_epoch
        self.began = []
        self.path.write_bytes(bytes(8))
        with open(path, "r+b") as file:
            self.shared = mmap.mmap(file.fileno(), 8)

    def callback(self):
        """The Keras callback that counts."""
        import keras

        return keras.callbacks.LambdaCallback(on_train_batch_begin=self._begin, on_epoch_end=self._end_epoch)

    def _begin(self, batch, logs=None):
        self.began.append(time.monotonic())
        self.shared[:] = struct.pack("q", len(self.began))
        if self.faults:
            self.faults.armed = True

    def _end_epoch(self, epoch, logs=None):
        if epoch + 1 == self.kill_at_epoch:
            os.kill(os.getpid(), signal.SIGKILL)

    def write_summary(self):
        """Beside `path`, as JSON: when each step began (and when all ended), and the fault points passed."""
        summary = {"began": [*self.began, time.monotonic()], "points": self.faults.seen if self.faults else []}
        self.path.with_suffix(".json").write_text(json.dumps(summary))


def steps_begun(path):
    """What `Steps` counted in the file `path` so far."""
    data = Path(path).read_bytes() if Path(path).exists() else b""
    return struct.unpack("q", data)[0] if len(data) == 8 else 0
