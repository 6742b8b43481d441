"""How a training is asked to stop: Ctrl-C, SIGTERM or a file called `stop` in the run folder."""

import signal
import threading
import time

POLL_SECONDS = 0.5


class StopRequest:
    """Within its `with` block, the first Ctrl-C or SIGTERM asks for a stop; a second Ctrl-C interrupts at once.

    Signals are only caught in the main thread; the stop file works everywhere.
    """

    def __init__(self, stop_file):
        self.stop_file = stop_file
        self.reason = None
        self._looked = 0.0
        self._handlers = {}

    def __enter__(self):
        self.stop_file.unlink(missing_ok=True)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self.stop_file.unlink(missing_ok=True)

    def _receive(self, number, frame):
        if self.reason and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.reason = signal.Signals(number).name

    def asked(self):
        """The reason to stop, or None; the file is looked for at most twice a second."""
        now = time.monotonic()
        if self.reason is None and now - self._looked > POLL_SECONDS:
            self._looked = now
            if self.stop_file.exists():
                self.reason = "stop file"
        return self.reason
