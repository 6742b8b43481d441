"""Fitting: the loop over steps and epochs, with all of its state in one place so that it can stop and go on."""

import logging
from contextlib import nullcontext
from dataclasses import dataclass, field

import keras
import numpy as np

from kcnn.errors import UserError
from kcnn.training.faults import explained, not_finite
from kcnn.training.interrupts import STOP_FILE, StopRequest
from kcnn.training.resuming import compare_environment, refuse_another, tell_lost
from kcnn.training.schedules import Plateau, Schedule
from kcnn.training.stopwatch import Stopwatch
from kcnn.training.weights import load_weights, save_weights

log = logging.getLogger(__name__)
STATUS_SECONDS = 1.0


@dataclass
class Progress:
    """What a training remembers between steps, apart from tensors; JSON-able, part of every checkpoint."""

    step: int = 0
    rows: list = field(default_factory=list)
    best: list | None = None
    best_epoch: int = 0
    without_better: int = 0
    ended: bool = False
    plateau: dict = field(default_factory=lambda: Plateau().state)


class Fitting:
    """One training of `engine.model` under a recipe's `train` section, in `folder`.

    Args:
        engine: the `Engine`.
        folder: the `RunFolder`, which gets status, history, weights and checkpoints.
        train: the recipe's [train].
        stream: function (first step) → endless iterable of batches from that step on.
        steps_per_epoch: steps that make one row of the history.
        validation: iterable of batches to evaluate after each epoch, or None.
        monitor: the metric that names the best epoch; larger is better, but for "loss".
        checkpoints: the `Checkpoints`, or None to keep none.
        frozen: layer names that rest during `train.freeze_epochs`.
        identity: JSON-able facts that a checkpoint must share to be resumed.
        callbacks: Keras callbacks.
        judge: function () → a fresh judge for `Engine.evaluate`, or None.
    """

    def __init__(self, engine, folder, train, *, stream, steps_per_epoch, validation, monitor, checkpoints,
                 frozen=(), identity=None, callbacks=(), judge=None):  # fmt: skip
        self.judge = judge
        self.engine, self.folder, self.train = engine, folder, train
        self.stream, self.steps_per_epoch, self.validation = stream, steps_per_epoch, validation
        self.monitor = f"val_{monitor}" if validation is not None else "loss"
        self.checkpoints, self.frozen, self.identity = checkpoints, tuple(frozen), identity or {}
        self.steps = train.last_epoch * steps_per_epoch
        self.schedule = Schedule(train, train.epochs * steps_per_epoch, steps_per_epoch)
        self.plateau = Plateau()
        self.progress = Progress()
        self.reason = None  # why it was stopped
        self.sums, self.iterator = np.zeros(()), None
        engine.model.optimizer, engine.model.stop_training = engine.optimizer, False
        params = {"epochs": train.last_epoch, "steps": steps_per_epoch}
        self.user_callbacks = list(callbacks)
        self.callbacks = keras.callbacks.CallbackList(self.user_callbacks, model=engine.model, **params)
        for callback in self.user_callbacks:
            callback.set_params(params)

    # ---- state -------------------------------------------------------------------------------------------------

    def save_checkpoint(self):
        """Write all state as of now, if this training keeps checkpoints and this process writes them."""
        if not self.checkpoints or not self.folder.writes:
            return
        arrays = {name: v.numpy() for name, v in self.engine.state().items()}
        arrays["sums"] = np.asarray(self.sums, np.float64)
        self.progress.plateau = self.plateau.state
        kept = [c.get_state() if hasattr(c, "get_state") else None for c in self.user_callbacks]
        state = {"progress": vars(self.progress), "identity": self.identity, "callbacks": kept}
        state["extensions"] = self.train.extensions
        self.checkpoints.save(self.progress.step, arrays, state)

    def restore(self):
        """Take up the newest checkpoint; return its step, 0 if there is none. Raises `UserError` if it is another's."""
        found = self.checkpoints.load() if self.checkpoints else None
        if found:
            self._take_up(*found)
        elif self.folder.history():
            raise UserError(f"run {self.folder.name} has lost its checkpoints; start a new run")
        tell_lost(self.folder, self.progress.step)
        compare_environment(self.folder, self.progress.step, self.engine.team)
        return self.progress.step

    def _take_up(self, step, arrays, state):
        refuse_another(state, self.identity, self.train.extensions)
        variables = self.engine.state()
        if strangers := variables.keys() ^ (arrays.keys() - {"sums"}):
            raise UserError(
                f"the checkpoint has other tensors than this kcnn makes: {', '.join(sorted(strangers)[:4])}"
            )
        for name, variable in variables.items():
            variable.assign(arrays[name])
        self.sums = arrays["sums"]
        self.progress = Progress(**state["progress"])
        self.plateau.state = self.progress.plateau
        for callback, kept in zip(self.user_callbacks, state["callbacks"], strict=False):
            if kept is not None and hasattr(callback, "set_state"):
                callback.set_state(kept)
        self._settle()

    # ---- the loop ----------------------------------------------------------------------------------------------

    def open(self):
        """Open the stream at the present step; mistakes in data and augmentation are refused here."""
        self.iterator = iter(self.stream(self.progress.step))

    def run(self):
        """Train to the end, or until asked to stop; return "finished" or "stopped", which is left to be told to status.

        Raises `WriteError` if the disk refuses; the newest checkpoint is whole then.
        """
        if self.iterator is None:
            self.open()
        if self.progress.step == 0:
            self.save_checkpoint()
        self.report_status("training", reason=None)
        self.callbacks.on_train_begin()
        try:
            with StopRequest(self.folder.stop_file) as stop:
                return self._run_epochs(stop)
        finally:
            self.callbacks.on_train_end()

    def _run_epochs(self, stop):
        while self.progress.step < self.steps:
            epoch = self.progress.step // self.steps_per_epoch
            self._begin_extension()
            if self._enough():
                break
            self.engine.freeze(self.frozen if epoch < self.train.freeze_epochs else ())
            self.callbacks.on_epoch_begin(epoch)
            if not self._run_epoch(epoch, stop):
                self.save_checkpoint()
                self.reason = stop.reason or "another worker was asked to stop"
                return "stopped"
        return "finished"

    def _begin_extension(self):
        """Where an extension begins, the schedule is a new one and patience is whole again."""
        p = self.progress
        if p.step in [start * self.steps_per_epoch for start, _ in self.train.extensions]:
            p.without_better, p.ended, self.plateau = 0, False, Plateau()

    def _run_epoch(self, epoch, stop):
        """Steps until the epoch's end, then its row; False if asked to stop before."""
        p, first = self.progress, epoch * self.steps_per_epoch
        watch = Stopwatch(self.train.batch_size)
        told = saved = 0.0
        while p.step < (end := first + self.steps_per_epoch):
            if self.engine.hear(stop.asked()):
                return False
            self._step(watch, first)
            if watch.seconds - told > STATUS_SECONDS:
                told = watch.seconds
                self.report_status("training", watch)
            if p.step < end and watch.seconds - saved > 60 * self.train.checkpoint_minutes:
                saved = watch.seconds
                self.save_checkpoint()
        self._end_epoch(epoch, watch)
        return True

    def _step(self, watch, first):
        done = self.progress.step - first
        batch = watch.wait_for(self.iterator)
        self.callbacks.on_train_batch_begin(done)
        self.take_step(batch)
        watch.steps += 1
        logs = {**self.engine.means(self.sums), **watch.figures()} if self.user_callbacks else None
        self.callbacks.on_train_batch_end(done, logs)

    def take_step(self, batch=None):
        """One step on `batch`, or on the next of the open stream; raises `UserError` if its numbers are none."""
        p = self.progress
        batch = next(self.iterator) if batch is None else batch
        rate = np.float32(self.schedule(p.step) * self.plateau.state["scale"])
        self.engine.batch = batch
        with explained(self.train.batch_size, p.step):
            sums, self.engine.norms = self.engine.train_step(batch, rate, np.float32(p.step))
        if not np.isfinite(sums).all():
            raise not_finite(self.engine, batch, rate, p.step)
        self.sums = self.sums + np.asarray(sums)
        p.step += 1

    def _end_epoch(self, epoch, watch):
        figures = watch.figures()
        logs = self.engine.means(self.sums)
        self.sums = np.zeros(())
        if self.validation is not None:
            judge = self.judge and self.judge()
            with self._averaged(), explained(self.train.batch_size, self.progress.step - 1):
                logs |= {f"val_{k}": v for k, v in self.engine.evaluate(self.validation, judge).items()}
        rate = self.schedule(self.progress.step - 1) * self.plateau.state["scale"]
        row = {"epoch": epoch + 1, "step": self.progress.step, "learning_rate": rate, **logs, **figures}
        self.progress.rows.append(row)
        self._judge(row)
        self.callbacks.on_epoch_end(epoch, row)
        self.progress.ended = self.engine.agreed(self.engine.model.stop_training)
        self.save_checkpoint()
        self._settle()
        self.report_status("training", watch)

    def _judge(self, row):
        """Note whether the epoch is the best so far; of equal scores the lower loss wins."""
        p, loss = self.progress, row["val_loss" if self.validation is not None else "loss"]
        score = [-loss if self.monitor.endswith("loss") else row[self.monitor], -loss]
        better = p.best is None or score > p.best
        higher = p.best is None or score[0] > p.best[0]
        p.without_better = 0 if higher else p.without_better + 1
        if self.train.schedule == "plateau":
            self.plateau.update(higher)
        if better:
            p.best, p.best_epoch = score, row["epoch"]

    def _settle(self):
        """Write what follows from the newest checkpoint: history, and at an epoch's end best and last weights.

        The checkpoint comes first, so that no file ever tells of an epoch that a resumed run does not know.
        """
        p = self.progress
        if self.folder.writes and p.rows and p.step == p.rows[-1]["step"]:
            with self._averaged():
                if p.best_epoch == p.rows[-1]["epoch"]:
                    save_weights(self.engine.model, self.folder.best)
                if p.step >= self.steps or self._enough():
                    save_weights(self.engine.model, self.folder.last)
        self.folder.write_history(p.rows)

    def _enough(self):
        patience = self.train.early_stopping
        return self.progress.ended or (patience is not None and self.progress.without_better >= patience)

    def _averaged(self):
        return self.engine.average.in_place() if self.engine.average else nullcontext()

    def report_status(self, state, watch=None, **fields):
        """Tell status.json the `state` and how far the training is."""
        p = self.progress
        if watch:
            left = watch.left(self.steps - p.step)
            fields |= {"eta_seconds": round(left), "images_per_second": round(watch.figures()["images_per_second"], 1)}
        epoch = p.rows[-1]["epoch"] if p.rows else 0
        self.folder.set_status(state=state, epoch=epoch, epochs=self.train.last_epoch, step=p.step, steps=self.steps,
                               best=self.best(), best_epoch=p.best_epoch, **fields)  # fmt: skip

    def best(self):
        """The monitored figure of the best epoch so far, None before the first."""
        rows = self.progress.rows
        return rows[self.progress.best_epoch - 1][self.monitor] if rows else None

    def has_time_to_report(self):
        """Whether it was stopped by the stop file, and not by a signal, with an epoch done: there are best weights."""
        return self.reason == STOP_FILE and self.progress.best_epoch > 0

    def use_best(self):
        """Put the best epoch's weights into the model."""
        load_weights(self.engine.model, self.folder.best)
