"""What a session starts from: weights that were trained before, by kcnn or another program, and what they ask for."""

import logging
from pathlib import Path

from kcnn import conversion, data, pretrained
from kcnn.architectures import ARCHITECTURES
from kcnn.errors import UserError
from kcnn.layers import MID_GREY
from kcnn.run_folder import RunFolder
from kcnn.session.network import build

log = logging.getLogger(__name__)


def begin(recipe, facts):
    """(recipe, facts, model, head, what was loaded): the network, from the weights that the recipe names if it does.

    Weights of other programs ask for their own scaling and style: these are then part of the facts and the recipe.
    """
    if not recipe.model.weights:
        if recipe.train.freeze_epochs:
            raise UserError("train.freeze_epochs needs model.weights: there is nothing learned to keep frozen")
        return recipe, facts, *build(recipe, facts, auxiliary=True), {}
    path, earlier = weights_file(recipe.model.weights, recipe.model.architecture)
    variant, tensors = ARCHITECTURES[recipe.model.architecture], pretrained.tensors_of(path)
    facts = _scaled(facts, pretrained.Scaling(earlier.mean, earlier.std)) if earlier else facts
    model, head = build(recipe, facts, auxiliary=True)
    layout = pretrained.recognise(model, variant, tensors, path)
    if layout is not None:
        facts = _scaled(facts, layout.scaling)
        recipe = recipe.override({"model.style": {**layout.style, **recipe.model.style}})
        model, head = build(recipe, facts, auxiliary=True)
    found = pretrained.load(model, variant, tensors, layout)
    for line in found.lines():
        log.info(line)
    return recipe, facts, model, head, {"weights": recipe.model.weights, "program": found.program,
                                        "loaded": len(found.matched), "reshaped": found.reshaped,
                                        "fresh": found.fresh}  # fmt: skip


def weights_file(source, architecture):
    """(the file that `model.weights` means, the `Facts` of the run it belongs to or None); raises `UserError`."""
    if source == pretrained.IMAGENET:
        return pretrained.fetch(architecture), None
    source = Path(source)
    if source.suffix.lower() in (".safetensors", *pretrained.HDF5):
        return source, None
    if source.suffix.lower() in conversion.PROGRAMS:
        raise UserError(f"model.weights: {source} may run code when it is loaded; `kcnn convert` takes its weights out")
    if (source / "saved_model.pb").exists():
        raise UserError(
            f"model.weights: {source} is a SavedModel, which is a program; give a run or a .safetensors file"
        )
    run = RunFolder.open(source)
    return run.best, data.Facts.read(run.facts_file)


def _scaled(facts, scaling):
    """The facts with the scaling that weights expect of pictures; that of other data is measured and stays."""
    fitting = scaling.of_channels(facts.input_shape[-1])
    if fitting is None or tuple(facts.mean) != (MID_GREY,):
        return facts
    return facts.model_copy(update=dict(zip(("mean", "std"), fitting, strict=True)))
