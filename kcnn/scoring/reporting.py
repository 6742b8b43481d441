"""A session's model on its splits, and the report of what came out."""

import io
import logging
import math
from dataclasses import replace

import numpy as np

from kcnn import answers, data, evaluation, models, training, views
from kcnn.archives import read_plain_npz
from kcnn.disk import write_atomically
from kcnn.errors import UserError
from kcnn.scoring import boxes, labels, masks

log = logging.getLogger(__name__)
SEEN = ("train", "val")
FRAMES = "frames.npz"
FRAME_VALUES = 1 << 24  # numbers in all frames that are kept, unless one alone has more
JUDGED = {"boxes": boxes.judge}  # tasks whose figures are no sums over pictures: what judges a whole split
TASKS = {"boxes": boxes, "labels": labels, "masks": masks}  # by the task of a head


def finish(session):
    """Score every split but the training one and write the report; each use of a test split is logged."""
    session.folder.set_status(state="evaluating")
    splits = [name for name in session.dataset.splits if name != "train"] or ["train"]
    session.folder.log("finished", scores=_report(session, splits))
    session.folder.set_status(state="finished")


def report_so_far(session):
    """Write the report of a stopped training, by its best weights so far; it says so, and is replaced at the end.

    Val is scored, or train where there is no val: what training never saw is for the end.
    """
    folder, status = session.folder, session.folder.status()
    note = (
        f"Training was stopped at epoch {status['epoch']} of {status['epochs']} and can be resumed (kcnn resume). "
        f"This is what its best weights so far, of epoch {status['best_epoch']}, reach; other splits are for its end."
    )
    scores = _report(session, ["val" if "val" in session.dataset.splits else "train"], [note])
    folder.log("reported", epoch=status["epoch"], scores=scores)
    log.info("report so far: %s", folder.report / "report.md")


def _report(session, splits, notes=()):
    """Score `splits`, write the report with `notes` before others; {split: what the head is judged by}."""
    folder = session.folder
    scored, shown, prepared = {}, {}, TASKS[session.head.task].prepare(session)
    for split in sorted(splits, key=lambda name: name != "val"):
        scored[split], shown[split] = score(session, split, prepared=prepared, earlier=scored)
    evaluation.write_report(
        folder.report, {split: scored[split] for split in splits}, title=folder.name, history=folder.history(),
        metric=session.head.main_metric, details=details(session),
        notes=[*notes, *session.dataset.notes, *warnings(folder)], set_aside=session.facts.set_aside, pictures=shown,
    )  # fmt: skip
    keep_frames(session, splits[0])
    return {split: scored[split][session.head.main_metric] for split in splits}


def keep_frames(session, split, most=64):
    """Keep some pictures of a split as the network sees them, on which exports are proved wherever the run goes.

    They are at most so many, and fewer where they are large: see `FRAME_VALUES`.
    """
    most = max(1, min(most, FRAME_VALUES // math.prod(session.facts.input_shape)))
    frames = evaluation.pictures(views.some(session, session.dataset.splits[split], np.arange(most)))
    content = io.BytesIO()
    np.savez_compressed(content, frames=frames)
    write_atomically(session.folder.path / FRAMES, content.getvalue())


def kept_frames(folder):
    """What `keep_frames` kept, (N, H, W, C)."""
    found = read_plain_npz(folder.path / FRAMES)
    if "frames" not in found:
        raise UserError(f"{folder.path / FRAMES} holds no frames; score the run again with `kcnn evaluate`")
    return found["frames"]


def score_again(session, split, source=None):
    """`score` of a run that has a report: what is known from it is not found again."""
    earlier, task = reported(session.folder), TASKS[session.head.task]
    compared = source is None and split != "train" and split in session.dataset.splits
    prepared = task.prepare(session, earlier.get(split)) if compared else None
    return score(session, split, source, prepared, earlier)


def scorer(session, split, limit):
    """A function from a function of images to the main metric of its answers on at most so many pictures of a split."""
    session = views.limited(session, split, limit)
    batches = list(views.batches(session, split))
    return lambda ask: TASKS[session.head.task].judged(session, split, batches, ask)


def score(session, split, source=None, prepared=None, earlier=None):
    """(figures, pictures for the report) of one split, whose predictions are kept in the run.

    Each use of a split that training never saw is logged; `source` names other data, whose predictions are not kept.
    prepared: what the task's `prepare` gave, to compare with; earlier {split: figures}: what of them still holds, such
    as the temperature of val and the baselines of this split.
    """
    if split not in session.dataset.splits:
        raise UserError(f"this data has no split {split!r}; it has {', '.join(session.dataset.splits)}")
    if source is not None:
        session = _in_own_shape(session, split)
        session.folder.log("scored", split=split, source=str(source))
    else:
        log_use(session.folder, split)
    figures, shown = TASKS[session.head.task].score(session, split, source is None, prepared, earlier or {})
    if source is None:
        figures["uses"] = None if split in SEEN else uses(session.folder, split)
    return figures, shown


def _in_own_shape(session, split):
    """The session to score other data by: signals and volumes keep their shape, where the model takes any size."""
    images, frame = session.dataset.splits[split].images, session.facts.input_shape
    if len(frame) == 3 or not isinstance(images, data.Arrays) or not answers.takes_any_size(session.model):
        return session
    shape = tuple(images.values.shape[1:])
    if len(shape) != len(frame) or shape[-1] != frame[-1]:
        return session
    return replace(session, facts=session.facts.model_copy(update={"input_shape": shape}))


def warnings(folder):
    """What was warned of while the run was trained, each once."""
    return list(dict.fromkeys(event["text"] for event in folder.events("warning")))


def log_use(folder, split):
    """Log in the run that a split was scored, if training never saw it."""
    if split not in SEEN:
        folder.log("scored", split=split, uses=1 + uses(folder, split))


def uses(folder, split):
    """How often a split that training never saw was scored, by the log."""
    return sum(event["split"] == split and "source" not in event for event in folder.events("scored"))


def reported(folder):
    """{split: figures} of a run's report, {} before there is one."""
    file = folder.report / "metrics.json"
    return evaluation.read_metrics(folder.report)["splits"] if file.exists() else {}


def settled(head, folder):
    """The head as a run answers people: with what its report, if there is one, found to be the best on val."""
    return TASKS[head.task].settled(head, reported(folder))


def _limit(history):
    """What held the training up, by the share of its time that it waited for data."""
    if not history:
        return "nothing: no epoch was trained"
    share = sum(row["data_wait"] * row["seconds"] for row in history) / sum(row["seconds"] for row in history)
    return (
        f"{'data' if share > training.DATA_BOUND else 'computation'} ({share:.0%} of the time went on waiting for data)"
    )


def details(session):
    """The facts at the head of the report."""
    facts, recipe = session.facts, session.recipe
    counts = ", ".join(f"{name} {len(samples)}" for name, samples in session.dataset.splits.items())
    environment = session.folder.environment()
    return {
        "architecture": recipe.model.architecture,
        "parameters": sum(math.prod(v.shape) for v in models.main_part(session.model).trainable_variables),
        "input": "×".join(map(str, facts.input_shape)),
        "data": f"{facts.format}: {counts}",
        "classes": len(facts.class_names),
        "epochs": len(session.folder.history()),
        "limited by": _limit(session.folder.history()),
        "CPU time": f"{environment.get('cpu_seconds', 0):.0f} s",
        "seed": recipe.runtime.seed,
    }
