"""A network with weights that others have trained, in one call: built as the weights expect it."""

import logging

from kcnn.architectures import ARCHITECTURES
from kcnn.models import build_model
from kcnn.pretrained.files import tensors_of
from kcnn.pretrained.loading import load, recognise

log = logging.getLogger(__name__)


def build(path, architecture, head="classifier", **options):
    """The network of `build_model` with the weights in the file `path`; what became of each is logged.

    The style and the input scaling that the weights were trained with hold where `options` say nothing else.
    Raises `UserError` if the file holds no weights of the architecture.
    """
    variant, tensors = ARCHITECTURES[architecture], tensors_of(path)
    model = build_model(architecture, head, **options)
    layout = recognise(model, variant, tensors, path)
    if layout is not None:
        scaling = layout.scaling.of_channels(model.inputs[0].shape[-1])
        options = dict(zip(("mean", "std"), scaling or (), strict=False)) | options
        options["style"] = {**layout.style, **(options.get("style") or {})}
        model = build_model(architecture, head, **options)
    for line in load(model, variant, tensors, layout).lines():
        log.info(line)
    return model
