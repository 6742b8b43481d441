"""Scoring what answers in labels: figures, baselines, slices and the pictures of mistakes."""

from dataclasses import fields, replace

import numpy as np

from kcnn import baselines, evaluation, models, views

CHOSEN_ON = "val"


def settled(head, reported):
    """The head with the temperature and the thresholds that the {split: figures} of a report found; its own stay."""
    val = reported.get(CHOSEN_ON, {})
    found = {"temperature": val.get("calibration", {}).get("temperature")}
    found["thresholds"] = tuple(val.get("thresholds", {}).get("values", ())) or None
    free = [field.name for field in fields(head) if getattr(head, field.name) is None]
    return replace(head, **{name: value for name, value in found.items() if name in free})


def prepare(session, figures=None):
    """What splits are compared with: the probe of `baselines`; None where `figures` of one have that comparison."""
    known = ((figures or {}).get("baselines") or {}).get("linear")
    return None if known else baselines.fit_probe(session)


def score(session, split, own, probe, earlier):
    """(figures, {"worst", "pairs": pictures of the mistakes}) of one split; see `scoring.score`."""
    samples, names = session.dataset.splits[split], session.facts.class_names
    p = evaluation.predict(models.main_part(session.model), session.head, views.batches(session, split))
    figures = evaluation.measure(p, names, samples.names, seed=session.recipe.runtime.seed)
    known, fitted = earlier.get(CHOSEN_ON, {}), split == CHOSEN_ON and own
    temperature = evaluation.fit_temperature(p) if fitted else known.get("calibration", {}).get("temperature")
    figures["calibration"] = evaluation.calibration(p, temperature, CHOSEN_ON)
    if p.multi_label:
        least = evaluation.best_thresholds(p, temperature) if fitted else known.get("thresholds", {}).get("values")
        figures["thresholds"] = evaluation.by_thresholds(p, least, temperature, CHOSEN_ON) if least else {}
    figures["slices"] = evaluation.slices(evaluation.rightness(p), p.weights, _groups(session, samples, p))
    known = earlier.get(split, {}).get("baselines") if own and probe is None else None
    figures["baselines"] = known or baselines.score(session, split, p, probe if split != "train" else None)
    if own:
        identity = evaluation.identity_of(samples, names)
        evaluation.store(session.folder.report, split, p, evaluation.losses(p), samples.names, identity)
    return figures, _pictures(session, samples, figures)


def judged(session, split, batches, ask):
    """The accuracy of the answers of `ask`, a function of images, to `batches` of a split."""
    rows = []
    for batch in batches:
        there = batch["index"].numpy() >= 0
        scores = np.asarray(ask(batch["image"].numpy())["scores"])
        rows.append((scores[there], batch["label"].numpy()[there], batch["weight"].numpy()[there]))
    scores, truth, weights = (np.concatenate(part) for part in zip(*rows, strict=True))
    truth = evaluation.as_answered(truth, session.head.multi_label, scores.shape[1])
    p = evaluation.Predictions(scores, truth, weights, np.arange(len(scores)))
    return float(np.average(evaluation.rightness(p), weights=weights))


def _groups(session, samples, predictions):
    """The slices' groups: the table's columns, but those that steer the training, and what the pictures look like."""
    chosen = session.recipe.data
    columns = {name: values[predictions.index] for name, values in samples.columns.items()}
    headers = getattr(samples.images, "headers", None)
    headers = None if headers is None else headers[predictions.index]
    steering = (chosen.split_column, chosen.weight_column, "split")
    groups = evaluation.column_groups(columns, steering)
    return groups | evaluation.picture_groups(headers, predictions.brightness)


def _pictures(session, samples, figures):
    """{"worst", "pairs"}: the pictures of the mistakes listed in `figures`, two a pair, in their order."""
    pairs = evaluation.pictured(figures.get("most_confused", []))
    worst = [entry["index"] for entry in figures["worst"]]
    both = [pair[key]["index"] for pair in pairs for key in ("example", "lookalike")]
    if not worst:
        return {}
    images = evaluation.pictures(views.some(session, samples, np.array(worst + both, np.int64)))
    return {"worst": images[: len(worst)], "pairs": images[len(worst) :]}
