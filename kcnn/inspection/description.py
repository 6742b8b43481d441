"""A description of an architecture: what it is made of, what it costs, what each level sees, where it comes from."""

import math
from dataclasses import dataclass

from kcnn.architectures import ARCHITECTURES, stride_of
from kcnn.errors import UserError
from kcnn.inspection.costs import activation_bytes, depth, multiply_adds
from kcnn.inspection.fields import receptive_fields
from kcnn.inspection.unfilled import without_values
from kcnn.models import SMALL_PICTURE, build_levels, build_model, chosen_stem, levels

MIB, WIDEST = 2**20, 32
WORDS = {1: ("signal", "steps"), 2: ("image", "px"), 3: ("volume", "voxels")}  # by the number of spatial axes


@dataclass(frozen=True)
class Level:
    """One level: its `shape` without the batch, its `stride`, and how many pixels (steps, voxels) a place sees an axis.

    field: with attention and global operations cut, as papers give it. whole: a global operation shows it the whole
    image. windows: attention within windows shows it more than its field.
    """

    name: str
    shape: tuple[int, ...]
    stride: int
    field: tuple[int, ...]
    whole: bool
    windows: bool

    def seen(self, unit):
        """What a place sees, in words: "sees 7 px", with the mark of a note where it sees more."""
        field = "×".join(map(str, self.field)) if len(set(self.field)) > 1 else str(self.field[0])
        return f"sees {field} {unit}" + (" *" if self.whole else " +" if self.windows else "")


@dataclass(frozen=True)
class Description:
    """What `kcnn describe` says. Costs are of one image of `input_shape`, with the head's last layer for `classes`.

    small_stem: whether the image's size, and nobody else, chose the small stem, which moves the levels.
    """

    name: str
    family: str
    year: int | None
    paper: str
    change: str
    ancestor: "Description | None"
    input_shape: tuple[int, ...]
    classes: int
    parameters: int
    multiply_adds: int
    activation_bytes: int
    depth: int
    levels: tuple[Level, ...]
    small_stem: bool = False

    @property
    def words(self):
        """What such an image is called, and its smallest part: ("signal", "steps") and the like."""
        return WORDS[len(self.input_shape) - 1]

    def lines(self):
        """The description as text, a fact a line."""
        yield f"{self.name} ({self.family}{f', {self.year}' if self.year else ''}), input {sides(self.input_shape)}"
        yield from (text for text in (self.paper, self.change) if text)
        yield f"{self.parameters:,} trainable parameters with {self.classes} classes"
        yield f"{large(self.multiply_adds)} multiply-adds, {self.depth} layers deep"
        yield f"{self.activation_bytes / MIB:,.1f} MiB of activations for one {self.words[0]} in training (float32)"
        if self.small_stem:
            yield f"small stem, because a side is under {SMALL_PICTURE} {self.words[1]} (model.stem)"
        yield from self._drawing()
        if self.ancestor:
            yield f"against {self.ancestor.name} on the same input: {', '.join(self._differences())}"

    def _drawing(self):
        """A line a level: a bar as long as the logarithm of its channels, shape, stride and receptive field."""
        for level in self.levels:
            bar = "█" * max(1, round(WIDEST * math.log2(level.shape[-1]) / 12))
            seen = level.seen(self.words[1])
            yield f"  {level.name}  {sides(level.shape):>16}  stride {level.stride:<3d} {seen:<18}  {bar}"
        yield from (f"  {note}" for note in self.notes())

    def notes(self):
        """What the marks behind receptive fields mean, a line a mark that is there."""
        if any(level.whole for level in self.levels):
            whole = f"the whole {self.words[0]}"
            yield f"* and {whole}, by global operations: squeeze-excite, norms over space or attention"
        if any(level.windows and not level.whole for level in self.levels):
            yield f"+ and more of the {self.words[0]}, by attention within windows"

    def _differences(self):
        for word, own, other in (
            ("parameters", self.parameters, self.ancestor.parameters),
            ("multiply-adds", self.multiply_adds, self.ancestor.multiply_adds),
            ("layers deep", self.depth, self.ancestor.depth),
        ):
            yield f"{own / other:.2f} times the {word}" if word != "layers deep" else f"{own} {word}, not {other}"


def describe(name, input_shape=None, num_classes=None, with_ancestor=True, **options):
    """The `Description` of an architecture, beside its ancestor where that takes the same input; draws no weights.

    Args:
        name: from `kcnn list architectures`.
        input_shape: (H, W, C), (T, C) or (D, H, W, C); None: that of its paper.
        num_classes: None: that of its paper.
        with_ancestor: whether the ancestor is described too.
        options: as of `build_model`: stem, overrides, style, top ("own" if not given).

    Raises `UserError` as `build_model` does.
    """
    row = ARCHITECTURES[name].row
    shape = row.image if input_shape is None else input_shape
    if not isinstance(shape, tuple | list) or None in shape:
        raise UserError(f"input_shape {shape!r} must state all sides and the channels, such as {row.image}")
    shape = tuple(shape)
    classes = row.classes if num_classes is None else num_classes
    return _described(name, shape, classes, {"top": "own"} | options, with_ancestor)


def _described(name, shape, classes, options, with_ancestor):
    variant = ARCHITECTURES[name]
    model = without_values(build_model, name, input_shape=shape, num_classes=classes, **options)
    shared = {word: options[word] for word in ("stem", "overrides", "style") if word in options}
    seen = without_values(build_levels, name, input_shape=shape, **shared)
    history, fields = variant.history, receptive_fields(seen)
    ancestor = history.ancestor if history and with_ancestor else None
    if ancestor and (len(shape) - 1 not in ARCHITECTURES[ancestor].ranks or "overrides" in options):
        ancestor = None
    return Description(
        name=name, family=variant.family, year=history.year if history else None,
        paper=history.paper if history else "", change=history.change if history else "",
        ancestor=_ancestor(ancestor, shape, classes, options) if ancestor else None,
        input_shape=shape, classes=classes,
        parameters=sum(math.prod(v.shape) for v in model.trainable_variables),
        multiply_adds=multiply_adds(model), activation_bytes=activation_bytes(model), depth=depth(model),
        levels=tuple(
            Level(level, tuple(seen.get_layer(layer).output.shape[1:]), stride_of(level),
                  tuple(field.size for field in fields[level]), fields[level][0].whole, fields[level][0].windows)
            for level, layer in levels(seen).items()
        ),
        small_stem=_has_small_stem(variant, shape, shared, seen),
    )  # fmt: skip


def _has_small_stem(variant, shape, options, seen):
    """Whether the image's size chose the small stem of `seen`: its levels are then others than with the usual one."""
    stem = options.get("stem", "auto")
    if stem != "auto" or chosen_stem(stem, shape) in (None, variant.row.stem):
        return False
    options = options | {"stem": variant.row.stem, "input_shape": shape}
    try:
        usual = without_values(build_levels, variant.name, **options)
    except UserError:  # the image is too small for it
        return True
    return [tensor.shape for tensor in usual.outputs] != [tensor.shape for tensor in seen.outputs]


def _ancestor(name, shape, classes, options):
    """The `Description` of an ancestor, or None where it is not made for such images.

    It keeps no branches to drop of the style asked for: it may have no residual ones, and they cost nothing.
    """
    style = {key: value for key, value in (options.get("style") or {}).items() if key != "drop_path"}
    try:
        options = options | {"style": style}
        return _described(name, shape, classes, options, with_ancestor=False)
    except UserError:
        return None


def large(number):
    """A large number as papers write it: 4.09 G, 301 M, 42.1 k."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def sides(shape):
    """A shape as a person writes it: 224×224×3."""
    return "×".join(map(str, shape))
