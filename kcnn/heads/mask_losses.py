"""Losses of masks by name, and sums of them: how far the logits of classes are from each place's class number.

Lin et al. 2017, Focal loss for dense object detection; Milletari et al. 2016, V-Net (Dice); Rahman and Wang 2016,
Optimizing intersection-over-union in deep neural networks (Jaccard); Salehi et al. 2017, Tversky loss function for
image segmentation; Ronneberger et al. 2015, U-Net (boundary).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from keras import ops

from kcnn.errors import UserError
from kcnn.heads.gaps import gap_weights
from kcnn.registry import Registry

MASK_LOSSES = Registry("mask loss")


class MaskLoss(NamedTuple):
    """compute: (judged, options) -> a loss at each place (B, n...), or, if `regional`, of each picture (B,).

    options: the fields of `options` that it reads, but for `class_weights`, which all do.
    """

    compute: Callable
    regional: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judged:
    """What losses read of a batch.

    logits: (B, n..., K). mask: int32 (B, n...) class numbers from 0 to below K, also where nothing is judged.
    valid: (B, n...) 1 where a place is judged, else 0.
    """

    logits: Any
    mask: Any
    valid: Any

    @cached_property
    def cross_entropy(self):
        """(B, n...)."""
        return ops.sparse_categorical_crossentropy(self.mask, self.logits, from_logits=True)

    @cached_property
    def regions(self):
        """(hit, said, there), each (B, K): chances on places of the class, all chances for it, its places."""
        valid = self.valid[..., None]
        chances = ops.softmax(self.logits, axis=-1) * valid
        truth = ops.one_hot(self.mask, self.logits.shape[-1], dtype=self.logits.dtype) * valid
        return tuple(over_places(part) for part in (chances * truth, chances, truth))


def over_places(x, keep=1):
    """Sums over all axes between the first and the last `keep`."""
    return ops.sum(x, axis=tuple(range(1, len(x.shape) - keep)))


def parsed(objective):
    """((share, loss name), ...) of a sum such as "cross_entropy + 0.5*dice"; mistakes raise `UserError`."""
    if not isinstance(objective, str) or not objective.strip():
        raise UserError(f"objective is {objective!r}: it must be a sum of losses, such as 'cross_entropy + 0.5*dice'")
    return tuple(_term(term.strip(), objective) for term in objective.split("+"))


def _term(term, objective):
    share, _, name = term.rpartition("*")
    name = name.strip()
    MASK_LOSSES[name]
    try:
        value = float(share) if "*" in term else 1.0
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise UserError(f"objective is {objective!r}: {share.strip()!r} must be a number above 0, as in '0.5*{name}'")
    return value, name


def judged_loss(judged, weight, terms, options):
    """Per sample (sum (B,), weight (B,)) of the sum of losses `terms`, as `parsed` gives it.

    weight: of each sample, (B,). Losses of places alone: their sum over the judged places, and the number of these.
    With a loss of regions among them all count as means over a picture: the sum is that of the means, and the weight 1,
    or 0 where nothing is judged. Both are times the sample's weight. `options` has the fields that the losses read.
    """
    places = over_places(judged.valid, keep=0)
    regional = any(MASK_LOSSES[name].regional for _, name in terms)
    share_of_place = 1.0 / ops.maximum(places, 1.0) if regional else 1.0
    total = 0.0
    for share, name in terms:
        loss = MASK_LOSSES[name]
        value = loss.compute(judged, options)
        if not loss.regional:
            value = over_places(value * judged.valid, keep=0) * share_of_place
        total = total + share * value
    if regional:
        places = ops.cast(places > 0, judged.valid.dtype)
        total = total * places
    return total * weight, places * weight


def _class_weights(judged, options):
    """(K,): the weight of each class."""
    return ops.convert_to_tensor(options.class_weights or (1.0,) * judged.logits.shape[-1], judged.logits.dtype)


def _weighted(each, judged, options):
    """Losses of places (B, n...) by the weight of their classes."""
    return each if options.class_weights is None else each * ops.take(_class_weights(judged, options), judged.mask)


def cross_entropy(judged, options):
    """-log of the chance of the class, with `class_weights` and `label_smoothing`."""
    each, smooth = judged.cross_entropy, options.label_smoothing
    if smooth:
        spread = -ops.mean(ops.log_softmax(judged.logits, axis=-1), axis=-1)
        each = (1 - smooth) * each + smooth * spread
    return _weighted(each, judged, options)


def focal(judged, options):
    """Cross-entropy times (1 - chance of the class) ^ `gamma`: places that are right already count less."""
    miss = ops.maximum(-ops.expm1(-judged.cross_entropy), 1e-7)  # the gradient stays finite where gamma is below 1
    return _weighted(judged.cross_entropy * ops.power(miss, options.gamma), judged, options)


def boundary(judged, options):
    """Cross-entropy, more of it in narrow gaps between things: `boundary` is (w0, sigma) of the U-Net paper.

    See `gap_weights` for what differs from the paper.
    """
    extra = ops.cast(gap_weights(judged.mask, *options.boundary), judged.logits.dtype)
    return cross_entropy(judged, options) * (1.0 + extra)


def dice(judged, options):
    """1 - 2 |A and B| / (|A| + |B|), with chances as shares of places; the mean over classes that the picture has."""
    hit, said, there = judged.regions
    return _over_classes(1.0 - 2.0 * hit / _above_0(said + there), judged, options)


def jaccard(judged, options):
    """1 - |A and B| / |A or B|, with chances as shares of places; the mean over classes that the picture has."""
    hit, said, there = judged.regions
    return _over_classes(1.0 - hit / _above_0(said + there - hit), judged, options)


def tversky(judged, options):
    """1 - hits / (hits + alpha false alarms + beta misses); `tversky` is (alpha, beta). (0.5, 0.5) is Dice."""
    hit, said, there = judged.regions
    alpha, beta = options.tversky
    return _over_classes(1.0 - hit / _above_0(hit + alpha * (said - hit) + beta * (there - hit)), judged, options)


def _over_classes(each, judged, options):
    """The mean of losses (B, K) by `class_weights` over the classes that occur among the judged places: (B,).

    A class that a picture lacks has no region to overlap; places taken for it are missing in another class.
    """
    there = judged.regions[2]
    weights = ops.cast(there > 0, each.dtype) * _class_weights(judged, options)
    return ops.sum(each * weights, axis=-1) / _above_0(ops.sum(weights, axis=-1))


def _above_0(x):
    return ops.maximum(x, 1e-7)


MASK_LOSSES.add("cross_entropy", MaskLoss(cross_entropy, options=("label_smoothing",)))
MASK_LOSSES.add("focal", MaskLoss(focal, options=("gamma",)))
MASK_LOSSES.add("boundary", MaskLoss(boundary, options=("boundary", "label_smoothing")))
MASK_LOSSES.add("dice", MaskLoss(dice, regional=True))
MASK_LOSSES.add("jaccard", MaskLoss(jaccard, regional=True))
MASK_LOSSES.add("tversky", MaskLoss(tversky, regional=True, options=("tversky",)))
