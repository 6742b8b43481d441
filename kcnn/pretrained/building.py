"""A network with weights that others have trained: built as the weights expect it."""

import logging

import numpy as np

from kcnn.architectures import ARCHITECTURES, customized
from kcnn.models import build_model
from kcnn.pretrained.files import tensors_of
from kcnn.pretrained.loading import load, recognise
from kcnn.pretrained.origins import origin_of

log = logging.getLogger(__name__)


def begin(origin, architecture, make, style=None, overrides=None):
    """(what `make` made, `Loaded`): a network as the weights of `origin` expect it, with them.

    Their fate is logged, as a warning where something is amiss.

    make: (scaling or None, style, overrides) -> a tuple that begins with the network. It is called once for weights of
        our own, and again when the program that wrote them is known.
    style, overrides: the user's own, which win over what the weights were trained with.

    Raises `UserError` if the file holds no weights of the architecture.
    """
    customized(ARCHITECTURES[architecture], overrides=overrides, style=style)  # the user's own mistakes come first
    overrides, tensors = {**origin.overrides, **(overrides or {})}, tensors_of(origin.path)
    asked = {**origin.style, **(style or {})}
    made = make(origin.scaling, asked, overrides)
    variant = customized(ARCHITECTURES[architecture], overrides=overrides, style=asked)
    layout = recognise(made[0], variant, tensors, origin.path)
    if layout is not None:
        scaling = layout.scaling_of(tensors)
        made = make(scaling, {**layout.style, **asked}, overrides)
    found = load(made[0], variant, tensors, layout)
    expected = scaling if layout else origin.scaling if origin.of_pictures else None
    found.scaling = _other_scaling(made[0], expected)
    for line in found.lines():
        log.log(logging.INFO if found.is_whole else logging.WARNING, line)
    return made, found


def _other_scaling(model, expected):
    """The line of the report on a network that does not scale its input as weights expect; "" if it does."""
    if expected is None:
        return ""
    layer, channels = model.get_layer("scaling"), model.input_shape[-1]
    fitting = expected.of_channels(channels)
    if fitting and np.allclose(layer.mean, fitting[0]) and np.allclose(layer.std, fitting[1]):
        return ""
    reason = "" if fitting else f", which {channels} channels have not"
    return (
        f"input scaling: mean {_listed(layer.mean)}, std {_listed(layer.std)}; these weights expect "
        f"mean {_listed(expected.mean)}, std {_listed(expected.std)}{reason}"
    )


def _listed(numbers):
    return " ".join(f"{number:.6g}" for number in np.atleast_1d(numbers))


def build(source, architecture, head="classifier", **options):
    """The network of `build_model` with the weights that `source` means, see `origin_of`.

    The style, the overrides and the input scaling that they were trained with hold where `options` say nothing else.
    """

    def make(scaling, style, overrides):
        shape = options.get("input_shape") or ARCHITECTURES[architecture].row.image
        fitting = scaling.of_channels(shape[-1]) if scaling else None
        found = dict(zip(("mean", "std"), fitting or (), strict=False))
        return (build_model(architecture, head, **{**found, **options, "style": style, "overrides": overrides}),)

    own = options.get("style"), options.get("overrides")
    (model,), _ = begin(origin_of(source, architecture), architecture, make, *own)
    return model
