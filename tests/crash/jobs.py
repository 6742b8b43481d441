"""What the children of the nursery do: train, resume, extend, the command line; they tell how far they are."""

import json
import mmap
import os
import signal
import struct
import sys
import time
from contextlib import nullcontext
from pathlib import Path


def load():
    """Import all that a training needs, so that children need not; nothing may be computed here."""
    import matplotlib.figure  # noqa: F401
    import sklearn.metrics  # noqa: F401

    from kcnn import api  # noqa: F401


def train(options, name, progress=None, faults=None, kill_at_epoch=None):
    """Train a run from the default recipe changed by `options`; see `Steps` and `_faults` for the rest."""
    import kcnn

    with _faults(faults) as struck:
        steps = Steps(progress, struck, kill_at_epoch) if progress else None
        kcnn.build_and_fit(kcnn.Recipe(), name=name, callbacks=[steps.callback()] if steps else (), **options)
        if steps:
            steps.write_summary()


def resume(path):
    """Go on with a run."""
    import kcnn

    kcnn.load_run(path).resume()


def extend(path, epochs, **options):
    """Train a finished run for more epochs; the options are those of `train`."""
    import kcnn

    with _faults(options.get("faults")) as struck:
        steps = Steps(options["progress"], struck, options.get("kill_at_epoch")) if "progress" in options else None
        kcnn.load_run(path).extend(epochs, callbacks=[steps.callback()] if steps else ())


def command(words, faults=None):
    """The command line `kcnn words…`."""
    from kcnn import cli

    sys.argv = ["kcnn", *map(str, words)]
    with _faults(faults):
        cli.main()


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
