"""Fault points: each write, fsync, replace and open that kcnn.disk asks of the system, counted, and one of them hit."""

import os
import signal
from contextlib import contextmanager
from fnmatch import fnmatch

from kcnn import disk


class Faults:
    """Within `installed()`, counts the operations of `kcnn.disk` and strikes at number `at` of those that match.

    Args:
        at: the operation to hit, counted from 0; None only counts.
        error: an errno to raise there; None kills the process.
        kinds: which operations count: "open", "write" (hit when half is written), "fsync", "replace" (hit before),
            "replaced" (after).
        match: a pattern that the file's path must fit.
        lasting: if True all operations fail from there on, as on a disk that stays full.
    """

    def __init__(self, at=None, error=None, kinds=("open", "write", "fsync", "replace", "replaced"), match="*",
                 lasting=False):  # fmt: skip
        self.at, self.error, self.kinds, self.match, self.lasting = at, error, kinds, match, lasting
        self.seen = []
        self.armed, self.struck = True, False

    @contextmanager
    def installed(self):
        """Stand between kcnn.disk and the system."""
        disk.os, disk.open = _System(self), self._open
        try:
            yield self
        finally:
            disk.os = os
            del disk.open

    def point(self, kind, path):
        """One operation; raises OSError or kills the process if it is the one."""
        if not (self.struck and self.lasting):
            if not self.armed or kind not in self.kinds or not fnmatch(str(path), self.match):
                return
            self.seen.append((kind, str(path)))
            if self.at != len(self.seen) - 1:
                return
        self.struck = True
        if self.error is None:
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(self.error, os.strerror(self.error))

    def _open(self, path, mode="r", **options):
        if "w" in mode or "a" in mode:
            self.point("open", path)
        return _File(open(path, mode, **options), path, self)


class _File:
    """A file whose writing is two halves with a fault point between them."""

    def __init__(self, file, path, faults):
        self.file, self.path, self.faults = file, path, faults

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        half = len(data) // 2
        self.file.write(data[:half])
        self.file.flush()
        self.faults.point("write", self.path)
        return half + self.file.write(data[half:])


class _System:
    """The os module with fault points at fsync and replace."""

    def __init__(self, faults):
        self.faults = faults

    def __getattr__(self, name):
        return getattr(os, name)

    def fsync(self, descriptor):
        self.faults.point("fsync", os.readlink(f"/proc/self/fd/{descriptor}"))
        os.fsync(descriptor)

    def replace(self, source, target):
        self.faults.point("replace", target)
        os.replace(source, target)
        self.faults.point("replaced", target)
