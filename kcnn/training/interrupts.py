"""How a training is asked to stop: Ctrl-C, SIGTERM, a closed terminal, a file called `stop`, or its parent's death."""

import os
import signal
import threading
import time
from contextlib import suppress

POLL_SECONDS = 0.5
STOP_FILE = "stop file"  # the reason of a stop that is no signal: there is time left for a report
PARENT = "KCNN_PARENT"  # the environment variable that kcnn gives to processes it starts: its own process id


class StopRequest:
    """Within its `with` block the first signal asks for a stop, and a second Ctrl-C interrupts at once.

    Signals are only caught in the main thread; the stop file (None: there is none) works everywhere. A hang-up
    that the shell ignores, as under nohup, stays ignored.
    """

    def __init__(self, stop_file):
        self.stop_file = stop_file
        self.reason = None
        self._looked = 0.0
        self._handlers = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                    self._handlers[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        with suppress(OSError):
            if self.stop_file:
                self.stop_file.unlink(missing_ok=True)

    def _receive(self, number, frame):
        if self.reason and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.reason = signal.Signals(number).name

    def asked(self):
        """The reason to stop, or None; the file is looked for at most twice a second."""
        now = time.monotonic()
        if self.stop_file and self.reason is None and now - self._looked > POLL_SECONDS:
            self._looked = now
            if self.stop_file.exists():
                self.reason = STOP_FILE
        return self.reason


def follow_parent():
    """If kcnn started this process, end it (by SIGTERM, so a training stops with a checkpoint) when that kcnn is gone.

    The variable is taken out of the environment: what this process starts is not meant.
    """
    parent = os.environ.pop(PARENT, None)
    if parent:
        threading.Thread(target=_follow, args=(int(parent),), daemon=True, name="follow_parent").start()


def _follow(parent):
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
