"""Weights that others have trained: where each tensor is in their files, what input they expect, and loading them."""

from kcnn.pretrained import names
from kcnn.pretrained.building import begin, build
from kcnn.pretrained.files import HDF5, tensors_of
from kcnn.pretrained.layouts import LAYOUTS, Layout, Scaling, layout, layouts_of
from kcnn.pretrained.loading import Loaded, load, recognise
from kcnn.pretrained.origins import Origin, origin_of
from kcnn.pretrained.published import IMAGENET, fetch

__all__ = [
    "HDF5",
    "IMAGENET",
    "LAYOUTS",
    "Layout",
    "Loaded",
    "Origin",
    "Scaling",
    "begin",
    "build",
    "fetch",
    "layout",
    "layouts_of",
    "load",
    "names",
    "origin_of",
    "recognise",
    "tensors_of",
]
