"""Weights that others have trained: where each tensor is in their files, what input they expect, and loading them."""

from kcnn.pretrained import names
from kcnn.pretrained.building import build
from kcnn.pretrained.files import HDF5, tensors_of
from kcnn.pretrained.layouts import LAYOUTS, Layout, Scaling, layout, layouts_of
from kcnn.pretrained.loading import Loaded, load, recognise
from kcnn.pretrained.published import IMAGENET, fetch

__all__ = [
    "HDF5",
    "IMAGENET",
    "LAYOUTS",
    "Layout",
    "Loaded",
    "Scaling",
    "build",
    "fetch",
    "layout",
    "layouts_of",
    "load",
    "names",
    "recognise",
    "tensors_of",
]
