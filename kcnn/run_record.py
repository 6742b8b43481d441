"""What a run tells without its network: recipe, facts, status, history and what its report says."""

from functools import cached_property

from kcnn import data, evaluation, heads
from kcnn.errors import UserError
from kcnn.masks import colours
from kcnn.model_card import write_card
from kcnn.run_folder import RunFolder


class Record:
    """The written part of the run in the folder `path`."""

    def __init__(self, path):
        self.folder = RunFolder.open(path)
        self.path, self.name = self.folder.path, self.folder.name

    def __repr__(self):
        return f"<kcnn run {self.path}: {self.status.get('state')}>"

    @cached_property
    def recipe(self):
        """The resolved `Recipe`."""
        return self.folder.recipe()

    @cached_property
    def facts(self):
        """Classes, shapes, statistics, split and fingerprint of the data."""
        return data.Facts.read(self.folder.facts_file)

    @property
    def task(self):
        """What it answers in: "labels", "masks" or "boxes"."""
        return self.facts.task

    @property
    def main_metric(self):
        """The figure by which its best weights were chosen, such as "accuracy"."""
        return heads.HEADS[self.recipe.model.head].main_metric

    @property
    def class_names(self):
        """The names of the classes, in the order of the scores."""
        return list(self.facts.class_names)

    @property
    def class_colours(self):
        """{class: "#rrggbb"}: the colours in which its masks or boxes are drawn."""
        shown = colours(self.facts.num_classes + 1)[self.task == "boxes" :]  # the first one is for what is around
        return {name: f"#{bytes(rgb).hex()}" for name, rgb in zip(self.class_names, shown, strict=False)}

    @property
    def of_pictures(self):
        """Whether it sees pictures; signals, volumes and other numbers are given to it as arrays or NIfTI files."""
        shape = self.facts.input_shape
        return not self.facts.measured and len(shape) == 3 and shape[-1] in (1, 3)

    @property
    def status(self):
        """state, epoch, step, time left, …"""
        return self.folder.status()

    @property
    def history(self):
        """One dict of figures an epoch."""
        return self.folder.history()

    @property
    def report(self):
        """The path of report.md, replaced at each end of the training and each stop by a stop file.

        Raises `UserError` before the first.
        """
        self._ended("a report")
        return self.folder.report / "report.md"

    @property
    def splits(self):
        """{split: figures} of every scored split."""
        self._ended("metrics")
        return evaluation.read_metrics(self.folder.report)["splits"]

    @property
    def metrics(self):
        """The figures of the test split if there is one, else of val, else of whichever split was scored."""
        splits = self.splits
        return next((splits[name] for name in ("test", "val") if name in splits), next(iter(splits.values())))

    def card(self):
        """Write the model card, report/card.md and card.json; returns the path of the first."""
        self._ended("a model card")
        return write_card(self)

    def _ended(self, what):
        if not (self.folder.report / "metrics.json").exists():
            state = self.status.get("state", "unfinished")
            way = "has finished, or was stopped after an epoch by a file called stop in its folder"
            raise UserError(f"run {self.name} is {state}: {what} comes when training {way}")
