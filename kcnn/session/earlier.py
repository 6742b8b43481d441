"""What a session starts from: weights that were trained before, by kcnn or another program, and what they ask for."""

from kcnn import pretrained
from kcnn.errors import UserError
from kcnn.layers import FROZEN, MID_GREY
from kcnn.session.network import build


def begin(recipe, facts):
    """(recipe, facts, model, head, what was loaded): the network, from the weights that the recipe names if it does.

    Weights ask for the scaling, style and overrides that they were trained with: these are then part of the facts and
    the recipe.
    """
    section = recipe.model
    if not section.weights:
        if recipe.train.freeze_epochs:
            raise UserError("train.freeze_epochs needs model.weights: there is nothing learned to keep frozen")
        if section.style.get("norm") == FROZEN:
            raise UserError(f"model.style norm = '{FROZEN}' needs model.weights: there are no statistics to keep")
        return recipe, facts, *build(recipe, facts, auxiliary=True), {}
    origin = pretrained.origin_of(section.weights, section.architecture)

    def make(scaling, style, overrides):
        asked = recipe.override({"model.style": style, "model.overrides": overrides})
        scaled = _scaled(facts, scaling) if scaling and origin.of_pictures else facts
        model, head = build(asked, scaled, auxiliary=True)
        return model, asked, scaled, head

    made, found = pretrained.begin(origin, section.architecture, make, section.style, section.overrides)
    model, recipe, facts, head = made
    return recipe, facts, model, head, {"weights": section.weights, "program": found.program,
                                        "loaded": len(found.matched), "reshaped": found.reshaped,
                                        "fresh": found.fresh, "scaling": found.scaling}  # fmt: skip


def _scaled(facts, scaling):
    """The facts with the scaling that weights expect of pictures; that of other data is measured and stays."""
    fitting = scaling.of_channels(facts.input_shape[-1])
    if fitting is None or facts.measured or tuple(facts.mean) != (MID_GREY,):
        return facts
    return facts.model_copy(update=dict(zip(("mean", "std"), fitting, strict=True)))
