"""The run folder as all workers but the first see it: to be read only."""

from contextlib import contextmanager

from kcnn.run_folder import RunFolder


class Spectator(RunFolder):
    """A `RunFolder` that another process writes: what would be written here is left to it."""

    writes = False

    def __init__(self, path):
        super().__init__(path)
        self.stop_file = None

    def _leave(self, *_, **__):
        """Nothing: the chief does it."""

    discard = write_recipe = set_status = fail = ask_to_stop = forget_stop = write_json = log = write_history = _leave

    @contextmanager
    def held(self):
        """The chief holds it."""
        yield
