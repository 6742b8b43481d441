"""What watches a training: a progress bar and TensorBoard, both ordinary Keras callbacks."""

import keras
import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from kcnn.disk import tensorflow_writing


class ProgressBar(keras.callbacks.Callback):
    """One bar an epoch: metrics so far, images a second, time left; the finished line stays.

    Without a terminal one line an epoch is printed instead.
    """

    def __init__(self, console=None):
        super().__init__()
        self.console = console or Console(stderr=True)
        self.bar = None

    def on_epoch_begin(self, epoch, logs=None):
        """Open the epoch's bar."""
        self.title = f"epoch {epoch + 1}/{self.params['epochs']}"
        if self.console.is_terminal:
            columns = (
                "{task.description}",
                BarColumn(20),
                "{task.completed}/{task.total}",
                TextColumn("{task.fields[note]}"),
            )
            self.bar = Progress(*columns, TimeRemainingColumn(), console=self.console, transient=True)
            self.task = self.bar.add_task(self.title, total=self.params["steps"], note="")
            self.bar.start()

    def on_train_batch_end(self, batch, logs=None):
        """Move the bar."""
        if self.bar:
            self.bar.update(self.task, completed=batch + 1, note=_line(logs) if logs else "")

    def on_epoch_end(self, epoch, logs=None):
        """Close the bar and leave its line."""
        self._close()
        self.console.print(f"[bold]{self.title}[/]  {_line(logs or {})}", highlight=False, soft_wrap=True)

    def on_train_end(self, logs=None):
        """Close the bar of an epoch that was cut short."""
        self._close()

    def _close(self):
        if self.bar:
            self.bar.stop()
            self.bar = None


def _line(logs):
    quiet = ("epoch", "step", "seconds", "data_wait", "gradient_norm", "top5", "val_top5")
    words = {"learning_rate": "last rate"}
    shown = [name for name in logs if name not in quiet]
    return "  ".join(f"{words.get(name, name.replace('_', ' '))} {_figure(name, logs[name])}" for name in shown)


def _figure(name, value):
    return (
        f"{value:.0f}" if name == "images_per_second" else f"{value:.2e}" if name == "learning_rate" else f"{value:.4f}"
    )


class TensorBoardScalars(keras.callbacks.Callback):
    """TensorBoard scalars, an epoch each: loss, metrics, rate, images a second and each layer's gradient norm."""

    def __init__(self, folder, engine):
        super().__init__()
        self.folder, self.engine = folder, engine
        with tensorflow_writing(self.folder):
            self.writer = tf.summary.create_file_writer(str(folder))

    def on_epoch_end(self, epoch, logs=None):
        """Write the epoch's row."""
        with tensorflow_writing(self.folder):
            with self.writer.as_default(step=epoch + 1):
                for name, value in (logs or {}).items():
                    tf.summary.scalar(name, value)
                for variable, norm in self.engine.latest_norms():
                    tf.summary.scalar(f"gradient_norm/{variable}", norm)
            self.writer.flush()

    def on_train_end(self, logs=None):
        """Close the file."""
        with tensorflow_writing(self.folder):
            self.writer.close()
