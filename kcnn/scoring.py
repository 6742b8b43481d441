"""Scoring: a session's model on its splits, and the report of what came out."""

import io
import math

import numpy as np

from kcnn import data, evaluation
from kcnn.errors import UserError
from kcnn.run_folder import write_atomically

SEEN = ("train", "val")
FRAMES = "frames.npz"


def batches(session, split, augment=None, start=0):
    """Batches of a split: the endless training stream from sample number `start`, or one plain pass."""
    recipe, facts = session.recipe, session.facts
    return data.batches(
        session.dataset.splits[split], facts.input_shape, recipe.train.batch_size, framing=facts.framing,
        max_pixels=facts.max_pixels, augment=augment, seed=recipe.runtime.seed, start=start,
        training=augment is not None, num_classes=facts.num_classes, threads=recipe.runtime.threads,
    )  # fmt: skip


def finish(session):
    """Score every split but the training one and write the report; each use of a test split is logged."""
    folder = session.folder
    folder.set_status(state="evaluating")
    splits = [name for name in session.dataset.splits if name != "train"] or ["train"]
    scored, pictures = {}, {}
    for split in splits:
        scored[split], pictures[split] = score(session, split)
    evaluation.write_report(
        folder.report, scored, title=folder.name, history=folder.history(), metric=session.head.main_metric,
        details=details(session), notes=[*session.dataset.notes, *warnings(folder)], set_aside=session.facts.set_aside,
        pictures=pictures,
    )  # fmt: skip
    keep_frames(session, splits[0])
    folder.set_status(state="finished")
    folder.log("finished", **{split: figures[session.head.main_metric] for split, figures in scored.items()})


def keep_frames(session, split, most=64):
    """Keep some pictures of a split as the network sees them, on which exports are proved wherever the run goes."""
    frames = evaluation.pictures(_only(session, session.dataset.splits[split], np.arange(most)))
    content = io.BytesIO()
    np.savez_compressed(content, frames=frames)
    write_atomically(session.folder.path / FRAMES, content.getvalue())


def kept_frames(folder):
    """What `keep_frames` kept, (N, H, W, C)."""
    with np.load(folder.path / FRAMES, allow_pickle=False) as content:
        return content["frames"]


def score(session, split, source=None):
    """(figures, pictures of the worst mistakes) of one split; each use of one that training never saw is logged."""
    if split not in session.dataset.splits:
        raise UserError(f"this data has no split {split!r}; it has {', '.join(session.dataset.splits)}")
    if source is not None:
        session.folder.log("scored", split=split, source=str(source))
    elif split not in SEEN:
        session.folder.log("scored", split=split, uses=1 + len(uses(session.folder, split)))
    samples = session.dataset.splits[split]
    predictions = evaluation.predict(session.model, session.head, batches(session, split))
    figures = evaluation.measure(predictions, session.facts.class_names, samples.names)
    worst = np.array([entry["index"] for entry in figures["worst"]], np.int64)
    return figures, evaluation.pictures(_only(session, samples, worst)) if len(worst) else None


def warnings(folder):
    """What was warned of while the run was trained, each once."""
    return list(dict.fromkeys(event["text"] for event in folder.events("warning")))


def uses(folder, split):
    """The logged uses of a split that training never saw."""
    return [event for event in folder.events("scored") if event["split"] == split and "source" not in event]


def details(session):
    """The facts at the head of the report."""
    facts, recipe = session.facts, session.recipe
    counts = ", ".join(f"{name} {len(samples)}" for name, samples in session.dataset.splits.items())
    environment = session.folder.environment()
    return {
        "architecture": recipe.model.architecture,
        "parameters": sum(math.prod(v.shape) for v in session.model.trainable_variables),
        "input": "×".join(map(str, facts.input_shape)),
        "data": f"{facts.format}: {counts}",
        "classes": len(facts.class_names),
        "epochs": len(session.folder.history()),
        "CPU time": f"{environment.get('cpu_seconds', 0):.0f} s",
        "seed": recipe.runtime.seed,
    }


def _only(session, samples, index):
    facts, index = session.facts, index[index < len(samples)]
    return data.batches(
        samples.take(index), facts.input_shape, len(index), framing=facts.framing, max_pixels=facts.max_pixels,
        training=False, num_classes=facts.num_classes,
    )  # fmt: skip
