"""What a network is made of and what it computes, as a list of tiles: kernels and feature maps."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from kcnn.errors import UserError
from kcnn.inspection.graph import level_layer
from kcnn.inspection.registry import VIEWS

MOST = 64  # tiles of a view


@dataclass(frozen=True)
class View:
    """A row of `VIEWS`: `make(model, image=None, level=None)` gives [(caption, tile)], tiles (h, w) or (h, w, 3).

    Tiles are float32 in [0, 1]. needs_image: `image` (H, W, C) must be given, in the units that the model reads.
    needs_level: `level` says where to look, the deepest level if it is None; others refuse one. lasts: it takes many
    steps of the network, from seconds to minutes.
    """

    make: Callable
    needs_image: bool
    needs_level: bool
    description: str
    lasts: bool = False


def filters(model, image=None, level=None):
    """The first kernels of the first convolution, by channel number: colours where it reads three channels.

    Kernels that read other numbers of channels are shown by their mean over these. All share one scale, on which mid
    grey is 0.
    """
    check_pictures(model, "filters")
    if level is not None:
        raise UserError(f"filters shows the first convolution only: leave out level {level!r}")
    found = (layer for layer in _layers(model) if isinstance(layer, keras.layers.Conv2D))
    if (first := next(found, None)) is None:
        raise UserError(f"model {model.name!r} has no convolution, so it has no filters to show")
    kernels = np.moveaxis(first.kernel.numpy().astype(np.float32), -1, 0)
    kernels = kernels if kernels.shape[-1] == 3 else kernels.mean(-1)
    largest = np.abs(kernels).max()
    return [(str(i), _signed(kernel, largest)) for i, kernel in enumerate(kernels[:MOST])]


def feature_maps(model, image=None, level=None):
    """The channels of a level, or of a layer by its name, for one image: the strongest by mean absolute value first.

    Each has its own scale, to its largest absolute value. 0 is black; mid grey where the level has negative values.
    """
    check_pictures(model, "feature_maps")
    probe = keras.Model(model.input, level_layer(model, level).output)
    maps = probe(np.asarray(image, np.float32)[None], training=False)[0]
    maps = np.moveaxis(keras.ops.convert_to_numpy(keras.ops.cast(maps, "float32")), -1, 0)
    shown = np.argsort(-np.abs(maps).mean((1, 2)), kind="stable")[:MOST]
    scaled = _signed if maps.min() < 0 else _positive
    return [(str(i), scaled(maps[i], np.abs(maps[i]).max())) for i in shown]


VIEWS.add("filters", View(filters, False, False, "kernels of the first convolution, mid grey is 0"))
VIEWS.add("feature_maps", View(feature_maps, True, True, "channels of one level for one image, strongest first"))


def _positive(values, largest):
    return values / (largest or 1)


def _signed(values, largest):
    return 0.5 + values / (2 * largest or 1)


def check_pictures(model, view):
    """Refuse a model that does not read pictures (H, W, C)."""
    shape = model.inputs[0].shape[1:]
    if len(shape) != 3:
        raise UserError(f"{view} shows pictures only, and the model {model.name!r} reads {tuple(shape)}, not (H, W, C)")


def _layers(model):
    """All layers in the order of the graph, those of nested models in their place."""
    for layer in model.layers:
        yield from _layers(layer) if hasattr(layer, "layers") else [layer]
