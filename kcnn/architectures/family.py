"""How a family of networks is registered: its table of rows, its builder and, where it has one, its own classifier."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import get_type_hints

from pydantic import TypeAdapter, ValidationError

from kcnn.architectures.history import History, of_name
from kcnn.errors import UserError, unknown_name
from kcnn.layers import Style
from kcnn.registry import Registry

ARCHITECTURES = Registry("architecture")

STEMS = ("standard", "small")
OUTPUT_STRIDES = (8, 16, 32)
USUAL_STRIDE = 32  # beyond which hardly any network goes
MAY_BE_0 = ("dropout", "layer_scale")  # words in names of fields for which 0 means "none"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What every row of every family states; a family's own row adds the fields of its paper.

    params: the published number of trainable parameters at `image` and `classes` with the family's own top, or None.
    image, classes: what that number was counted at.
    stem: "standard" as published, or "small" (3x3, stride 1, no pooling) for pictures under 64 px.
    style: what all blocks share.
    output_stride: None, or where the network stops getting coarser: behind it kernels dilate; see `customized`.
    residual: whether blocks have residual branches, which `drop_path` of the style can drop; no field.
    """

    residual = True

    params: int | None = None
    image: tuple[int, ...] = (224, 224, 3)
    classes: int = 1000
    stem: str = "standard"
    style: Style = Style()
    output_stride: int | None = None


@dataclass(frozen=True)
class Variant:
    """A registered architecture.

    build: (x, row) -> levels, a dict from "c0" (stride 1) up of the tensors (B, ceil(n / 2^N)..., C). It may hold more
        tensors under names that are no level's, for `own_top` and `auxiliary` alone.
    own_top: (levels, row) -> features (B, F), what stands before the last layer in the paper; None where that is
        global average pooling.
    auxiliary: (levels, row) -> {name: (features (B, F), weight)}, further classifiers that only training uses; or None.
    ranks: how many spatial axes it is made for.
    history: where it comes from.
    dilates: whether it can stop getting coarser, at the row's `output_stride`.
    """

    name: str
    family: str
    row: Row
    build: Callable
    own_top: Callable | None = None
    auxiliary: Callable | None = None
    ranks: tuple[int, ...] = (1, 2, 3)
    history: History | None = None
    dilates: bool = False


def family(rows, *, top=None, auxiliary=None, ranks=(1, 2, 3), history=None, dilates=False):
    """Decorator: register the builder under every name of `rows`, a dict name -> Row whose first row is the toy.

    top, auxiliary, ranks and dilates are as in `Variant`. history is one `History`, or {start of a name: `History`} of
    which the longest that fits holds.
    """

    def register(build):
        for name, row in rows.items():
            if not isinstance(row, Row):
                raise UserError(f"family {build.__name__}: {name} is {row!r}: it must be a Row, or of a class below")
            origin = of_name(name, history)
            variant = Variant(name, build.__name__, row, build, top, auxiliary, ranks, origin, dilates)
            ARCHITECTURES.add(name, variant)
        return build

    return register


def customized(variant, *, stem=None, overrides=None, style=None, output_stride=None):
    """`variant` with another stem, with fields of its row replaced by `overrides` and of its style by `style`.

    output_stride: 8 or 16: where the next stride would go beyond it, stages keep the size and kernels dilate instead;
        the weights stay those of the coarser network. 32: as it is, for families that cannot dilate.
    Lists become tuples, as TOML has none. Unknown fields and values that do not fit raise `UserError`.
    """
    row = variant.row
    if stem is not None:
        if stem not in STEMS:
            raise unknown_name("stem", stem, STEMS)
        row = replace(row, stem=stem)
    fixed = {field.name for field in fields(Row)}
    row = _replaced(row, overrides or {}, "model.overrides", f"field of {variant.name}", fixed)
    row = replace(row, style=_replaced(row.style, style or {}, "model.style", "field of a style", set()))
    if row.style.drop_path and not row.residual:
        raise UserError(
            f"model.style.drop_path is {row.style.drop_path}: {variant.name} has no residual branches to drop; leave "
            f"it out, or choose an architecture that has them"
        )
    return replace(variant, row=_dilated(variant, row, output_stride))


def _dilated(variant, row, output_stride):
    """`row` with that output stride, where the family can dilate or need not."""
    if output_stride is None:
        return row
    if output_stride not in OUTPUT_STRIDES:
        raise UserError(f"output_stride is {output_stride!r}: it must be 8, 16 or 32")
    if not variant.dilates and output_stride < USUAL_STRIDE:
        able = ", ".join(_light(len(row.image) - 1, lambda variant: variant.dilates))
        raise UserError(
            f"output_stride is {output_stride}: {variant.name} cannot dilate; set it to {USUAL_STRIDE}, or choose an "
            f"architecture that can, such as {able}"
        )
    return replace(row, output_stride=output_stride) if variant.dilates else row


def is_within(x, smallest):
    """Whether no side of an image `x` (B, n..., C) is known to be under `smallest` pixels."""
    return all(side is None or side >= smallest for side in x.shape[1:-1])


def check_size(x, smallest, name, *, small_stem=False):
    """Refuse an image `x` (B, n..., C) with a side under `smallest` pixels.

    small_stem: whether it would fit with the small stem, which the message then says.
    """
    if is_within(x, smallest):
        return
    sides = x.shape[1:-1]
    size, least = "×".join(map(str, sides)), "×".join([str(smallest)] * len(sides))
    help_of_stem = "use stem='small', " if small_stem else ""
    raise UserError(
        f"image {size} is too small for {name}: each side must be at least {smallest}; "
        f"set image_size to {smallest} (resize to {least}), {help_of_stem}or choose a shallower architecture"
    )


def check_rank(x, variant):
    """Refuse an image `x` (B, n..., C) of a rank that the family is not made for, and name some that are."""
    rank = len(x.shape) - 2
    if rank not in variant.ranks:
        raise UserError(
            f"{variant.name} is made for images of {' or '.join(map(str, variant.ranks))} spatial axes, not {rank}: "
            f"its blocks have no counterpart there; choose another, such as {', '.join(_light(rank))}"
        )


def _light(rank, fits=lambda variant: True):
    """Names of three light architectures that fit, for images of `rank` spatial axes, of three families.

    First come those whose paper is about such images, then those whose images have nearly as many axes.
    """
    fitting = (v for v in ARCHITECTURES.values() if rank in v.ranks and v.row.params and fits(v))
    lightest = {}
    for variant in sorted(fitting, key=lambda variant: (abs(len(variant.row.image) - 1 - rank), variant.row.params)):
        lightest.setdefault(variant.family, variant.name)
    return list(lightest.values())[:3]


def is_level(name):
    """Whether `name` is that of a level, "c0" to "c9", and not of a tensor for the family's own use."""
    return len(name) == 2 and name[0] == "c" and name[1].isdigit()


def deepest(levels):
    """The deepest map of what a builder gave: its entry "last", if the level has zeros around it, else the level."""
    return levels["last"] if "last" in levels else levels[max(name for name in levels if is_level(name))]


def stride_of(level):
    """The stride of a level: 8 for "c3"."""
    return 1 << int(level[1:])


def _replaced(record, changes, where, kind, fixed):
    if not isinstance(changes, Mapping):
        raise UserError(f"{where} is {changes!r}: it must be a dict from the names of fields to their values")
    known = {field.name: field for field in fields(record) if field.name not in fixed}
    annotated, values = get_type_hints(type(record)), {}
    for key, value in changes.items():
        if key not in known:
            raise unknown_name(f"{kind}", key, known)
        values[key] = _checked(f"{where}.{key}", value, getattr(record, key), known[key], annotated[key])
        if isinstance(record, Row) and isinstance(values[key], float):
            _check_float(f"{where}.{key}", values[key], known[key])
    return replace(record, **values)


def _checked(where, value, present, field, kind):
    """`value` with lists as tuples, refused if it is not of the annotated `kind`, such as the `present` one is."""
    value = _tuples(value)
    model = f"the kind {kind}" if present is None else f"the kind of {present!r}"
    try:
        value = TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError:
        raise UserError(f"{where} is {value!r}: it must be of {model}") from None
    least = 0 if field.default == 0 else 1
    if value == () or any(type(number) is int and number < least for number in _flat(value)):
        raise UserError(f"{where} is {value!r}: numbers must be {least} or more, as in {model}")
    return value


def _check_float(where, value, field):
    """Refuse a float of a row that is 0 or below, or below 0 where 0 means "none"."""
    may_be_0 = field.default == 0 or any(word in field.name for word in MAY_BE_0)
    if not 0 <= value < math.inf or (value == 0 and not may_be_0):
        raise UserError(f"{where} is {value!r}: it must be a finite number {'from 0 on' if may_be_0 else 'above 0'}")


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def _flat(value):
    return [leaf for item in value for leaf in _flat(item)] if isinstance(value, tuple) else [value]


def same_lengths(row, *names):
    """Refuse a row whose fields `names` list different numbers of stages."""
    lengths = {name: len(getattr(row, name)) for name in names}
    if len(set(lengths.values())) > 1:
        given = " and ".join(f"{name} has {length}" for name, length in lengths.items())
        raise UserError(f"{given} entries: override them together, with one entry for each block")
