"""`.keras`: the model as Keras saves it, for going on in Python with kcnn at hand; it answers with logits."""

import keras

from kcnn.evaluation.predictions import answer
from kcnn.exporting.portable import answers
from kcnn.exporting.registry import EXPORTERS, Exporter


def write(model, head, facts, path, images):
    """Save `model` at `path`, which ends in .keras; the weights that Keras itself keeps, no training state."""
    model.save(path, include_optimizer=False)


def load(path, head, facts):
    """{"model": images (N, H, W, C) → answers}, by the file at `path`."""
    ask = answer(keras.models.load_model(path, compile=False, safe_mode=True), head)
    return answers(lambda images: {name: value.numpy() for name, value in ask(images).items()}, head, facts)


EXPORTERS.add("keras", Exporter("model.keras", "one file for Keras, where kcnn is installed too", write, load))
