"""`.keras`: the model as Keras saves it, for going on in Python with kcnn at hand; it answers with logits."""

import keras
import numpy as np

from kcnn.evaluation.predictions import answer
from kcnn.exporting.registry import EXPORTERS, Exporter


def write(model, head, facts, path, images):
    """Save `model` at `path`, which ends in .keras; the weights that Keras itself keeps, no training state."""
    model.save(path, include_optimizer=False)


def answers(path, head, facts, images):
    """{"model": {"label", "scores"}} of the file at `path`, loaded anew, for `images` (N, H, W, C)."""
    loaded = keras.models.load_model(path, compile=False, safe_mode=True)
    given = {name: value.numpy() for name, value in answer(loaded, head)(images).items()}
    return {"model": {"label": np.asarray(facts.class_names, object)[given["label"]], "scores": given["scores"]}}


EXPORTERS.add("keras", Exporter("model.keras", "one file for Keras, where kcnn is installed too", write, answers))
