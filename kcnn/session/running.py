"""How a session goes on: trained to its end or to a stop, scored and reported, or made longer."""

import functools
import logging

import keras

from kcnn import advice, models, scoring, training, views
from kcnn.errors import UserError
from kcnn.run_folder import EXTENDED
from kcnn.session.network import make_engine
from kcnn.session.opening import warn
from kcnn.training import runtime

log = logging.getLogger(__name__)


def train(session, *, resume=False, callbacks=(), console=None):
    """Train to the end or to a stop; returns the final state, "finished" or "stopped".

    At the end every split is scored and the report written. A stop by the stop file has time for a report too, that of
    `scoring.report_so_far`, once there are best weights: its checkpoint is safe before. Signals and several workers,
    which are to end together, leave none.

    Raises `UserError`, with the way on, if the disk refuses; the last checkpoint is then still whole.
    """
    folder, team = session.folder, session.team
    with folder.held():
        try:
            with team.together(folder.path if resume else None), team.scope():
                fitting = make_fitting(session, callbacks, console)
                if resume:
                    log.info("continuing at step %d", fitting.restore())
                fitting.open()
                team.meet()  # so that no checkpoint is written while a worker still reads
        except UserError:
            if not resume:
                folder.discard()
            raise
        with folder.noting_its_end(), team.together(folder.path):
            with team.scope():
                state = fitting.run()
                _add_cpu_seconds(session)
                team.meet()  # the chief has written the best weights
                reports = state == "finished" or (fitting.has_time_to_report() and team.workers == 1)
                if reports:
                    fitting.use_best()
            if state == "finished" and team.is_chief:
                for text in advice.after(folder.history()):
                    warn(folder, text)
                scoring.finish(session)
            elif state == "stopped":
                if reports:
                    fitting.report_status("evaluating", reason=fitting.reason)
                    scoring.report_so_far(session)
                fitting.report_status(state, reason=fitting.reason)
            team.meet()  # no worker leaves before the chief has done
    return state


def extend(session, epochs):
    """Put `epochs` more into the recipe of a finished session's run; `train` with resume=True then trains them."""
    folder = session.folder
    with folder.held():
        found = training.Checkpoints(folder.checkpoints).load()
        if not found:
            raise UserError(f"run {folder.name} has no checkpoint to go on from; start a new run")
        done = max(len(found[2]["progress"]["rows"]), len(folder.history()))
        pairs = [*session.recipe.train.extensions, (done, epochs)]
        session.recipe = session.recipe.override({"train.extensions": pairs})
        state, reason = EXTENDED
        folder.set_status(state=state, reason=reason, epochs=session.recipe.train.last_epoch)
        folder.write_recipe(session.recipe)
        folder.log("extended", after=done, epochs=epochs)


def make_fitting(session, callbacks=(), console=None, watched=True):
    """The `Fitting` of a session, not yet run; unwatched, it writes nothing, shows nothing and keeps no checkpoints."""
    recipe, model, section = session.recipe, session.model, session.recipe.train
    engine = session.engine or make_engine(session)
    watchers = _watchers(session, engine, console) if watched else []
    shard = session.team.shard

    def stream(step):
        return views.batches(session, "train", augment=recipe.augment, start=step * section.batch_size, shard=shard)

    judge = scoring.JUDGED.get(session.head.task)
    whole = (0, 1) if judge else shard  # a judge sees all of val, whichever worker it is of
    return training.Fitting(
        engine, session.folder, section, stream=stream,
        steps_per_epoch=session.facts.steps_per_epoch(section.batch_size),
        validation=views.batches(session, "val", shard=whole) if "val" in session.dataset.splits else None,
        monitor=session.head.main_metric,
        checkpoints=training.Checkpoints(session.folder.checkpoints) if watched else None,
        frozen=backbone_layers(model), callbacks=[*watchers, *callbacks],
        judge=judge and functools.partial(judge, session, "val"),
        identity={**training.identity(recipe), "fingerprint": session.facts.fingerprint},
    )  # fmt: skip


def backbone_layers(model):
    """Names of the layers up to the deepest level: what rests while only the head, or auxiliary ones, learn."""
    return [name for name, depth in models.depths(model).items() if depth]


def _watchers(session, engine, console):
    if not session.team.is_chief:
        return [keras.callbacks.Callback()] * 3  # a checkpoint tells callbacks apart by their places
    return [
        training.ProgressBar(console),
        training.TensorBoardScalars(session.folder.path / "tensorboard", engine),
        training.Watch(engine, functools.partial(warn, session.folder)),
    ]


def _add_cpu_seconds(session):
    before = session.folder.environment().get("cpu_seconds", 0)
    spent = before + runtime.cpu_seconds() - session.began
    session.folder.write_json(
        "environment.json", {**runtime.environment(*session.team.size), "cpu_seconds": round(spent, 1)}
    )
