"""A run: a trained model with everything around it, rebuilt from its folder."""

import logging
from functools import cached_property
from pathlib import Path

import numpy as np

from kcnn import answers, data, evaluation, explaining, heads, inspection, models, scoring, session, training
from kcnn.errors import UserError
from kcnn.run_record import Record

log = logging.getLogger(__name__)
SCORED = 200  # pictures of val at most, on which an export is scored


class Run(Record):
    """The run in the folder `path`: its `Record`, and its network.

    `metrics` and `history` are read from its report; `model` is rebuilt from recipe, facts and best weights on first
    use. `predict`, `explain`, `show`, `features`, `evaluate`, `export` answer with it; `resume` and `extend` go on
    training.
    """

    def __init__(self, path, source=None):
        super().__init__(path)
        self._source = source

    @cached_property
    def _built(self):
        model, head = session.build_to_answer(self.recipe, self.facts)
        training.load_weights(model, self.folder.best)
        return model, head

    @property
    def model(self):
        """The `keras.Model` with the best weights: pictures 0–255 (N, H, W, C) → raw outputs, such as logits."""
        return self._built[0]

    @property
    def levels(self):
        """Names of the levels of its model, shallowest first: what `level` of `explain` and `show` can be."""
        return list(models.levels(self.model))

    def predict(self, images, top=5, out=None):
        """What the model sees in `images`: a path, encoded bytes, an array (H, W, C), or a list of these.

        Returns a list of dicts (one dict for one image), with name and, of a classifier: label, score, top [(label,
        score), …]; of a segmenter: the same, with shares of the places in top, and a mask (H, W) uint8 of class
        numbers at the picture's own size; of a detector: boxes (n, 4) x0, y0, x1, y1 in the picture's pixels, scores
        and classes, best first, from the score on that had the best F1 on val; label, score and top are then of the
        best object of each class. A picture that cannot be read gets score 0, and an `error`.

        out: of a segmenter, a folder for each picture's overlay, mask (PNG of class numbers) and polygons (JSON), whose
        paths are then in `files`; of a detector, for its drawing and its results as COCO json. A segmenter of volumes
        reads NIfTI files, too, and its mask then lies on the scan.
        """
        single = not isinstance(images, (list, tuple))
        found = self._answers.predict([images] if single else list(images), top, out)
        return found[0] if single else found

    def features(self, images):
        """The vectors (N, D) before the last layer, of pictures in the frame of training.

        images: what `predict` takes, but arrays of fractions, signals and volumes must have the frame's shape. Of a
        segmenter a vector is the whole map before its last layer, flattened: its channels place by place.
        """
        items = list(images) if isinstance(images, (list, tuple)) else [images]
        frames, _ = self._frames(items)
        return np.asarray(inspection.features(self.model)(frames.astype(np.float32)))

    @property
    def usual_explainer(self):
        """The explainer that is asked where none is named: Grad-CAM, for a detector's objects LayerCAM.

        Grad-CAM takes the mean of a gradient over all places, which says little of one object among many.
        """
        return "layer_cam" if self.task == "boxes" else "grad_cam"

    def explain(self, image, method=None, *, target=None, level=None, path=None):
        """Where the model looked: a heat map (H, W) in 0–1, and the overlay as a PNG at `path` if one is given.

        The map has the size of the frame of training, in which the picture is seen here, by a segmenter, too; it then
        says what speaks for the class in the places that the class wins, or in all where it wins none, and the overlay
        tells its mean score over all places. The map of a signal or volume has its shape, and no overlay.

        Args:
            image: one of what `features` takes.
            method: a name from `kcnn list explainers`; the `usual_explainer` if None.
            target: class name to explain; if None the predicted one, of a segmenter the one that most places have
                beside class 0. Of a detector its best object is explained, or the best of that class, or the one of
                that number among its answers, 0 the best.
            level: "c2" … or a layer's name; if None the deepest level, of a detector the finest that its head reads.
        """
        if path is not None and len(self.facts.input_shape) != 3:
            raise UserError(f"path is {str(path)!r}, but the heat of signals and volumes is not drawn: leave it out")
        method = method or self.usual_explainer
        explainer, frame = inspection.EXPLAINERS[method], self._frame(image, method)
        asked = self._asked(target, frame)
        heat = explainer(self.model, frame, target=asked.target, level=level or self._usual_level)
        if path is not None:
            label = f"{self.facts.class_names[asked.kind]}, score {asked.score:.3f}"
            inspection.save_overlay(frame, heat, path, label, asked.box)
        return heat

    @property
    def _usual_level(self):
        return heads.HEADS[self.recipe.model.head].levels[0] if self.task == "boxes" else None

    def explain_sanity(self, image, method=None, *, target=None, level=None):
        """How far the heat map that `explain` gives can be trusted: the figures of `inspection.sanity`, a dict.

        The map is held against random ones, and against that of the same network with weights drawn anew. Arguments
        are those of `explain`.
        """
        method, level = method or self.usual_explainer, level or self._usual_level
        frame = self._frame(image, method)
        asked = self._asked(target, frame)

        def explain(model, image, *, target):
            return inspection.EXPLAINERS[method](model, image, target=asked.target, level=level)

        heat = explain(self.model, frame, target=asked.target)
        return inspection.sanity(self.model, frame, heat, explain, asked.column, score=asked.scores)

    def show(self, view, image=None, *, level=None, path):
        """A sheet of what the network is made of or computes, as a PNG at `path`; returns the path.

        Args:
            view: "filters", the kernels of the first convolution, or "feature_maps", the channels of a level.
            image: anything that `predict` takes, one of it, for views that look at one.
            level: of feature maps, as for `explain`.
        """
        row = inspection.VIEWS[view]
        frame = self._frame(image, view) if row.needs_image else None
        tiles = row.make(self.model, frame, level)
        where = f"{self.name}, {level}" if level else self.name
        inspection.draw_tiles(tiles, path, f"{where}: {row.description}")
        return Path(path)

    def evaluate(self, split="val", source=None):
        """The figures of one split, added to the report.

        `source` is other data of some of the same classes; if it has no splits of its own, or but one where val is
        asked for, all of it is scored. A split that training never saw is refused before training has ended, and each
        use of it is logged in the run.
        """
        self._refuse_early(split)
        opened = self._session(source)
        first, *more = opened.dataset.splits
        if source is not None and not more and (split == "val" or first == "train"):
            self._refuse_early(split := first)
        figures, pictures = scoring.score_again(opened, split, source)
        if source is None and (self.folder.report / "metrics.json").exists():
            evaluation.add_split(self.folder.report, split, figures, pictures)
        return figures

    def robustness(self, split="val", limit=300):
        """The score on corrupted pictures, and on ones changed to mislead it, as a dict; added to the report.

        Of the split no more than `limit` pictures are looked at, some ninety times. What the figures are says
        `kcnn.robustness.measure`; a split that training never saw is logged, as by `evaluate`.
        """
        from kcnn import robustness

        self._refuse_early(split)
        opened = self._session(None)
        figures = robustness.measure(opened, split, limit)
        if (self.folder.report / "metrics.json").exists():
            seed = self.recipe.runtime.seed
            evaluation.add_robustness(self.folder.report, figures, robustness.example(opened, split, seed))
        return figures

    def export(self, format="saved_model", *, timed=True):
        """Write the model for other programs below exports/ and prove that it agrees; returns the path.

        Where the run's data are there, the written file is scored on some of val too. With `timed` all exports that are
        there are timed anew, in turns: see `time_exports`.
        """
        from kcnn import exporting

        self._ended("an export")
        frames = scoring.kept_frames(self.folder)
        path, parity = exporting.export(format, *self._answering, self.facts, self.folder.exports, frames, self._scorer)
        self.folder.log("exported", format=format, **parity)
        if timed:
            self.time_exports()
        return path

    def program(self):
        """(tf.function from frames (N, H, W, C) float32 to numbers, JSON of what its user must know), for converters.

        It answers as the exports do: {"scores"}, of masks {"mask", "score"}, of boxes {"boxes", "scores", "classes",
        "count"} and "masks". A picture is 0 to 255.
        """
        from kcnn.exporting import portable

        model, head = self._answering
        return portable.program(model, head, self.facts, "float32"), portable.told(head, self.facts)

    def time_exports(self):
        """Time the model and its exports in turns, and write size, agreement, score and speed into the report.

        {format: what exports/parity.json says}.
        """
        from kcnn import exporting

        frames = scoring.kept_frames(self.folder)
        parity = exporting.time_exports(*self._answering, self.facts, self.folder.exports, frames)
        if (self.folder.report / "metrics.json").exists():
            evaluation.add_exports(self.folder.report, parity)
        return parity

    def resume(self, callbacks=(), console=None):
        """Go on exactly where a stopped or killed run was, and replace its report if it has one; returns the run."""
        if self.status.get("state") == "finished":
            raise UserError(f"run {self.name} has finished; `kcnn extend {self.path}` trains it for more epochs")
        return self._go_on(self._reopened(), callbacks, console)

    def extend(self, epochs, callbacks=(), console=None):
        """Train a finished run for `epochs` more and write its report anew; returns the run.

        It goes on from the last state, not from the best: weights, optimiser, moving average, history and best score.
        The recipe's schedule runs once more over the added epochs, without warm-up, its peak `train.extend_factor`
        times the last one. The extension is kept in recipe.toml, so that a killed one resumes exactly.
        """
        if (state := self.status.get("state")) != "finished":
            raise UserError(f"run {self.name} is {state}, not finished: resume it first, `kcnn resume {self.path}`")
        opened = self._reopened()
        session.extend(opened, epochs)
        return self._go_on(opened, callbacks, console)

    # ---- parts -------------------------------------------------------------------------------------------------

    def _refuse_early(self, split):
        if split not in scoring.SEEN and (state := self.status.get("state")) != "finished":
            raise UserError(f"split {split!r} is for the end: run {self.name} is {state}, not finished")

    def _reopened(self):
        if self.folder.is_running():
            raise UserError(f"run {self.name} is being trained by process {self.status['pid']}; stop that first")
        self.folder.forget_stop()
        return session.reopen(self.folder, self._source)

    def _go_on(self, opened, callbacks, console):
        session.train(opened, resume=True, callbacks=callbacks, console=console)
        for answer in ("recipe", "_built", "_answers"):
            self.__dict__.pop(answer, None)
        return self

    def _session(self, source):
        if source is None:
            return session.reopen(self.folder, self._source, self._built)
        whole = self.recipe.override({"data.quarantine": None, "data.group_column": None})
        dataset = session.open_data(whole, source, self.facts.class_names)
        if dataset.task != self.task:
            raise UserError(
                f"run {self.name} answers in {self.task} and this data has {dataset.task}: give data with {self.task}"
            )
        return session.Session(self.folder, self.recipe, dataset, self.facts, *self._built)

    def _frames(self, items):
        facts = self.facts
        return data.read(items, facts.input_shape, framing=facts.framing, max_pixels=facts.max_pixels)

    def _frame(self, image, method):
        """One image as the network sees it, for a `method` that looks at one; refuses what cannot be read."""
        if image is None:
            raise UserError(f"{method} looks at an image: name one, as in `kcnn explain {self.path} IMAGE`")
        frames, ok = self._frames([image])
        if not ok[0]:
            raise UserError(f"{answers.name_of(image)}: {answers.why_unread(image)}")
        return frames[0]

    @cached_property
    def _answers(self):
        return answers.answers_of(*self._answering, self.facts)

    @property
    def _answering(self):
        """Model and head as they answer people."""
        model, head = self._built
        return model, scoring.settled(head, self.folder)

    @cached_property
    def _scorer(self):
        """What `exporting.export` scores by: some of val (of train where there is none); None where data are gone."""
        try:
            opened = self._session(None)
        except (UserError, OSError) as error:
            log.info("exports are not scored, only compared: %s", error)
            return None
        score = scoring.scorer(opened, "val" if "val" in opened.dataset.splits else "train", SCORED)
        return score, score(evaluation.answer(*self._answering))

    def _asked(self, target, frame):
        """What `explain` asks of a frame."""
        if self.task == "boxes":
            return explaining.asked_of_box(target, frame, self._answers, *self._built, self.class_names)
        return explaining.asked_of_class(target, frame, self._answers, self.class_names)
