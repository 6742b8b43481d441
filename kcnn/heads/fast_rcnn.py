"""Girshick 2015, Fast R-CNN: regions that a search outside the network found, all read from one map."""

import keras

from kcnn.errors import UserError


def fast_rcnn(model):
    """`model`, of the head faster_rcnn or mask_rcnn, as one that is given its regions; it shares all variables.

    It takes [image (B, H, W, C), regions (B, proposals, 4)], x0, y0, x1, y1 in pixels of the image, 0 where there are
    fewer, such as selective search gives them. Its outputs are those of the second stage: `head.decode` answers from
    them, and `head.region_loss(targets, outputs)` is what the paper trains with.
    Raises `UserError` for the model of another head.
    """
    if not isinstance(model.output, dict) or "regions" not in model.output:
        raise UserError("fast_rcnn needs a model of the head faster_rcnn or mask_rcnn")
    proposed = model.output["regions"]
    second = {name: x for name, x in model.output.items() if not name.endswith(("_edges", "_classes", "regions"))}
    looked = keras.Model([model.input, proposed], second, name=model.name)
    image = keras.Input(model.input.shape[1:], name="image")
    regions = keras.Input(proposed.shape[1:], name="regions")
    return keras.Model([image, regions], looked([image, regions]) | {"regions": regions}, name="given_regions")
