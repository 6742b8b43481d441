"""How fast a training goes: images a second, the share of time spent waiting for data, time left."""

import time


class Stopwatch:
    """Counts steps of `batch_size` images since it was made."""

    def __init__(self, batch_size):
        self.batch_size = batch_size
        self.began, self.steps, self.waited = time.monotonic(), 0, 0.0

    def wait_for(self, iterator):
        """The iterator's next batch; what it took counts as waiting."""
        before = time.monotonic()
        batch = next(iterator)
        self.waited += time.monotonic() - before
        return batch

    @property
    def seconds(self):
        """Since the start."""
        return max(time.monotonic() - self.began, 1e-9)

    def figures(self):
        """{"seconds", "images_per_second", "data_wait" (a share, 0 to 1)} so far."""
        speed = self.steps * self.batch_size / self.seconds
        return {"seconds": self.seconds, "images_per_second": speed, "data_wait": self.waited / self.seconds}

    def left(self, steps):
        """Seconds that `steps` more will take."""
        return self.seconds / max(self.steps, 1) * steps
