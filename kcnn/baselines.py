"""A session's baselines: what its data would score without a network. The report has them if they can be had."""

import logging

import numpy as np
import tensorflow as tf

from kcnn import data, evaluation

log = logging.getLogger(__name__)


def fit_probe(session):
    """A linear model on thumbnails of some training pictures, to compare with; None, with a warning, if it fails."""
    try:
        images, labels, _ = _thumbnails(session, "train")
        return evaluation.fit_probe(images, labels, session.recipe.runtime.seed)
    except Exception as error:  # an extra of the report: whatever is wrong with it, the run has its scores
        log.warning("the report has no linear baseline: %s", error)
        return None


def score(session, split, predictions, probe):
    """{"majority", "linear"}: what would be scored without a network; linear is None where it is not known."""
    facts = session.facts
    plain = evaluation.majority(predictions, facts.class_counts, facts.split_sizes.get("train", 0))
    plain["answer"] = [facts.class_names[k] for k in plain["answer"]]
    try:
        return {"majority": plain, "linear": None if probe is None else probe.score(*_thumbnails(session, split))}
    except Exception as error:  # as above
        log.warning("the report has no linear baseline of %s: %s", split, error)
        return {"majority": plain, "linear": None}


def _thumbnails(session, split):
    """(thumbnails (n, …), labels, weights) of at most 5 000 samples of a split; float data as it is."""
    samples, facts = session.dataset.splits[split], session.facts
    samples = samples.take(evaluation.some(len(samples), session.recipe.runtime.seed))
    images, shape = samples.images, tuple(facts.input_shape)
    small = (*(min(side, evaluation.SIDE) for side in shape[:2]), shape[-1])
    if not isinstance(images, data.Arrays):
        items = list(images.paths if isinstance(images, data.Files) else images)
        values, _ = data.read(items, small, framing=facts.framing, max_pixels=facts.max_pixels)
    elif samples.is_float:
        values = images.values
    else:
        values = tf.image.resize(images.values, small[:2], "area").numpy()
    labels = evaluation.as_answered(samples.labels, facts.multi_label, facts.num_classes)
    return values, labels, np.ones(len(samples)) if samples.weights is None else samples.weights
