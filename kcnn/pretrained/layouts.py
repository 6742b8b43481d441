"""Layouts: where the weights of a family are in the files of other programs, and how a network must be for them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kcnn.registry import Registry

LAYOUTS = Registry("layout")

IMAGENET_MEAN, IMAGENET_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # torchvision's, for 0 to 255
CAFFE_MEAN = (123.68, 116.779, 103.939)


@dataclass(frozen=True)
class Scaling:
    """What weights expect as input: (x - mean) / std of pictures from 0 to 255, their channels red first unless `bgr`.

    mean and std are in the order red, green, blue, also for `bgr`: the order is settled in the first kernel.
    """

    mean: float | tuple[float, ...]
    std: float | tuple[float, ...]
    bgr: bool = False

    def of_channels(self, channels):
        """(mean, std) for images of so many channels: grey ones get the mean of the colours', others have none."""
        found = [_of_channels(values, channels) for values in (self.mean, self.std)]
        return None if None in found else tuple(found)


TORCH = Scaling(IMAGENET_MEAN, IMAGENET_STD)
CAFFE = Scaling(CAFFE_MEAN, 1.0, bgr=True)
UNIT = Scaling(127.5, 127.5)  # -1 … 1


def _listed(values):
    return tuple(float(value) for value in np.ravel(values))


def _of_channels(values, channels):
    values = values if isinstance(values, tuple) else (values,)
    if len(values) in (1, channels):
        return tuple(map(float, values))
    return (sum(values) / len(values),) if channels == 1 else None


@dataclass(frozen=True)
class Layout:
    """How the weights of a `family` are named in the files of a `program`.

    names: (our layer's name, row) -> the other program's name of that layer; or a dict from our names of its variables
        to the other's names of tensors, where these are not the usual ones; or None for a layer the file has not. Names
        that it cannot read are a `LookupError` or `ValueError`; `module` is what asks it.
    scaling: of the input, that the program's weights expect.
    style: fields of the row's style that these weights were trained with, where they are not the row's own.
    variants: the architectures it holds for; empty: all of the family.
    """

    family: str
    program: str
    names: Callable
    scaling: Scaling = TORCH
    style: dict[str, object] = field(default_factory=dict)
    variants: tuple[str, ...] = ()

    def fits(self, variant):
        """Whether it holds for this `Variant`."""
        return variant.family == self.family and (not self.variants or variant.name in self.variants)

    def scaling_of(self, tensors):
        """The `Scaling` that these `tensors` expect: `scaling`, unless the file brings other statistics of its own.

        Keras's first EfficientNets scale to 0 … 1 and then by statistics that are kept among their weights; the
        published files hold ImageNet's mean and, where the variance should be, its deviation, and are scaled by it.
        """
        mean, variance = (tensors.get(f"normalization/{name}") for name in ("mean", "variance"))
        if mean is None or variance is None:
            return self.scaling
        own = Scaling(_listed(255 * mean), _listed(255 * np.sqrt(variance)))
        published = np.allclose(own.mean, IMAGENET_MEAN, 1e-3) and np.allclose(255 * variance, IMAGENET_STD, 1e-3)
        return TORCH if published else own

    def module(self, layer, row):
        """What `names` answers; None for a layer that it cannot read, since the other program's network has none such.

        row: as the network was built from it, with all overrides.
        """
        try:
            return self.names(layer, row)
        except (LookupError, ValueError):
            return None


def layout(family, *programs, scaling=TORCH, style=None, variants=(), edition=""):
    """Decorator: register a function of names as the layout of `family` in the files of `programs`.

    edition: what tells it from another layout of the same program for the same variants.
    """

    def register(names):
        for program in programs:
            name = "/".join(filter(None, (family, program, *variants[:1], edition)))
            LAYOUTS.add(name, Layout(family, program, names, scaling, style or {}, tuple(variants)))
        return names

    return register


def parsed(pattern, layer):
    """The groups of `pattern` in a layer's name; a `LookupError` for a name of another form."""
    match = pattern.fullmatch(layer)
    if match is None:
        raise LookupError(layer)
    return match.groups()


def layouts_of(variant):
    """The layouts that hold for a `Variant`, in the order in which they were registered."""
    return [found for found in LAYOUTS.values() if found.fits(variant)]
