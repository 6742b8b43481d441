"""build_model: input, scaling, levels, head, name: one flat functional graph."""

import logging
from dataclasses import MISSING, fields, replace
from numbers import Integral

import keras

from kcnn.architectures import ARCHITECTURES, check_rank, check_size, customized, is_level, is_within, stride_of
from kcnn.errors import UserError, unknown_name
from kcnn.heads import HEADS
from kcnn.layers import MID_GREY, Standardize

log = logging.getLogger(__name__)

SMALL_PICTURE = 64
FEW_CHANNELS = 16  # a signal may well have as many channels as steps if it is this short
DEEPEST = 9  # the number of the last level
USUAL = {"top": "pooled", "dropout": 0.0, "multi_label": False}  # of build_model's arguments that only some heads have
MAIN = "main"  # the output that counts, where there are auxiliary ones


def build_model(
    architecture,
    head="classifier",
    *,
    input_shape=None,
    num_classes=None,
    top=USUAL["top"],
    stem="auto",
    dropout=USUAL["dropout"],
    multi_label=USUAL["multi_label"],
    mean=MID_GREY,
    std=MID_GREY,
    overrides=None,
    style=None,
    auxiliary=False,
    **options,
):
    """A `keras.Model` from raw pictures to a head's raw outputs, its weights drawn at random.

    architecture: a name of `ARCHITECTURES`.
    head: a name of `HEADS`, made by `head_of` from the arguments below, or a head record, which is taken as it is.
    input_shape: (H, W, C), (T, C) or (D, H, W, C), without the batch; None: that of the paper.
    num_classes: None: that of the paper.
    stem: "standard", "small" (3x3, stride 1, no pooling), or "auto": small under 64 px, else the row's own.
    mean, std: the input is scaled to (x - mean) / std; one number, or one a channel.
    overrides, style: fields of the architecture's row and of its style to replace.
    auxiliary: with the auxiliary outputs that family and head have for training, if they have some: the model then
        answers {"main": ..., name: ...} and says in `auxiliary_weights` how much each counts; see `main_part`.

    The input is called "image" and takes float32 (0 to 255 for pictures); the scaling layer is called "scaling".
    Raises `UserError` for names, shapes and fields that do not fit.
    """
    variant = ARCHITECTURES[architecture]
    shape = _checked_shape(variant.row.image if input_shape is None else input_shape)
    named = {"top": top, "dropout": dropout, "multi_label": multi_label}
    head = _head(head, variant.row.classes, num_classes, named, options)
    changes = {"overrides": overrides, "style": style, "output_stride": getattr(head, "output_stride", None)}
    variant = customized(variant, stem=chosen_stem(stem, shape), **changes)
    image = keras.Input(shape, name="image", dtype="float32")
    x = Standardize(mean, std, name="scaling")(image)
    found = _levels(x, variant, head)
    main, others = _answers(found | {"image": x}, variant, head)
    others = others if auxiliary else {}
    outputs = {MAIN: main, **{name: output for name, (output, _) in others.items()}} if others else main
    names = {level: _layer_name(tensor) for level, tensor in found.items() if is_level(level)}
    return _named(keras.Model(image, outputs, name=architecture), names, {name: w for name, (_, w) in others.items()})


def build_levels(architecture, *, input_shape, stem="auto", overrides=None, style=None, output_stride=None):
    """A `keras.Model` from pictures to all levels of an architecture, {"c1": tensor, ...}, without any head."""
    shape = _checked_shape(input_shape)
    changes = {"overrides": overrides, "style": style, "output_stride": output_stride}
    variant = customized(ARCHITECTURES[architecture], stem=chosen_stem(stem, shape), **changes)
    image = keras.Input(shape, name="image", dtype="float32")
    built = _built(image, variant)
    found = {level: tensor for level, tensor in built.items() if is_level(level)}
    names = {level: _layer_name(tensor) for level, tensor in found.items()}
    return _named(keras.Model(image, found, name=architecture), names, {})


def main_part(model):
    """What answers outside training: `model`, or its part from picture to main output where it has auxiliary ones."""
    if not getattr(model, "auxiliary_weights", None):
        return model
    return _named(keras.Model(model.input, model.output[MAIN], name=model.name), model.level_layers, {})


def _named(model, level_layers, auxiliary_weights):
    kept = {layer.name for layer in model.layers}
    model.level_layers = {level: name for level, name in level_layers.items() if name in kept}
    model.auxiliary_weights = auxiliary_weights
    return model


def _answers(found, variant, head):
    """(main output, {name: (output, weight)} of all auxiliary ones), those of the head and those of the family.

    `head.build` gives its output, or a pair of that kind.
    """
    built = head.build(found, variant)
    main, own = built if isinstance(built, tuple) else (built, {})
    return main, own | _auxiliary(found, variant, head)


def _auxiliary(found, variant, head):
    """{name: (output, weight)} of the auxiliary classifiers, for families that have them and heads that say so.

    A head that says `auxiliary` has `classify(features, name)`, which gives such an output; others need neither.
    """
    if variant.auxiliary is None or not getattr(head, "auxiliary", False):
        return {}
    branches = variant.auxiliary(found, variant.row)
    return {name: (head.classify(features, f"{name}_logits"), weight) for name, (features, weight) in branches.items()}


def head_of(head, **options):
    """The head record called `head` with `options` as its fields; unknown ones raise `UserError`."""
    kind = HEADS[head]
    known = [field.name for field in fields(kind)]
    for name in options:
        if name not in known:
            raise unknown_name(f"option of the head {head}", name, known)
    classes = options.get("num_classes", 1)
    if not isinstance(classes, Integral) or isinstance(classes, bool):
        raise UserError(f"num_classes is {classes!r}: it must be a whole number")
    for field in fields(kind):
        if field.default is MISSING and field.default_factory is MISSING and field.name not in options:
            raise UserError(f"the head {head} needs {field.name}")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in options.items()})


def levels(model):
    """{"c2": name of the layer whose output is that level, ...}, shallowest first, of a model from `build_model`.

    Levels that do not lead to the model's outputs are no part of it and are left out: of a class token's, all.
    """
    found = getattr(model, "level_layers", None)
    if found is None:
        raise UserError(f"the model {model.name!r} names no levels: only those made by build_model do")
    return dict(found)


def depths(model):
    """{name of a layer: how many levels end at it or behind it} of a model from `build_model`.

    It is 0 for the head and for auxiliary classifiers. Where no level leads to the main output, all layers but the
    last one stand for a level.
    """
    part = main_part(model)
    names = [layer.name for layer in part.layers]
    ends = [names.index(name) for name in levels(part).values()] or [len(names) - 2]
    found = {name: sum(i <= end for end in ends) for i, name in enumerate(names)}
    return {layer.name: found.get(layer.name, 0) for layer in model.layers}


def _head(head, usual, num_classes, named, options):
    """The head record of `build_model`'s arguments; `usual`: the number of classes if none is given."""
    if isinstance(head, str):
        known = [field.name for field in fields(HEADS[head])]
        named = {name: value for name, value in named.items() if name in known or value != USUAL[name]}
        return head_of(head, num_classes=usual if num_classes is None else num_classes, **named, **options)
    if options or num_classes not in (None, head.num_classes):
        raise UserError(f"head is a record already ({head}): leave out {', '.join(options) or 'num_classes'}")
    return head


def _levels(x, variant, head):
    """What `variant` builds on `x`, its levels shallowest first; refuses heads that do not fit."""
    found = _built(x, variant)
    missing = [level for level in head.levels if level not in found]
    if missing:
        known = ", ".join(filter(is_level, found))
        raise UserError(
            f"{variant.name} has the levels {known}, not {', '.join(missing)}, which the head "
            f"{type(head).__name__} needs; choose an architecture or a stem that has them"
        )
    return found


def _built(x, variant):
    """What `variant` builds on `x`, its levels shallowest first; refuses pictures that do not fit."""
    check_rank(x, variant)
    built = variant.build(x, variant.row)
    found = dict(sorted((level, tensor) for level, tensor in built.items() if is_level(level)))
    _check_depth(built, variant.name)
    smallest = _stride(built)
    check_size(x, smallest, variant.name, small_stem=not is_within(x, smallest) and _takes_small_stem(x, variant))
    return found | built


def _check_depth(built, name):
    """Refuse a net with levels beyond those that have names, which no head would see."""
    deepest = max(int(level[1:]) for level in built if level[0] == "c" and level[1:].isdigit())
    if deepest > DEEPEST:
        raise UserError(
            f"{name} halves the size {deepest} times: levels end at c{DEEPEST}; override it with fewer stages"
        )


def _stride(built):
    """The stride of the deepest level of what was built."""
    return stride_of(max(filter(is_level, built)))


def _takes_small_stem(x, variant):
    """Whether pictures that are too small for `variant` are not with the small stem."""
    return is_within(x, _stride(variant.build(x, replace(variant.row, stem="small"))))


def _checked_shape(shape):
    shape = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    sides = [side for side in shape if side is not None]
    whole = all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides)
    if len(shape) not in (2, 3, 4) or not whole or shape[-1] is None:
        raise UserError(
            f"input_shape is {shape}: it must be (H, W, C), (T, C) or (D, H, W, C) in whole numbers above 0"
        )
    return shape


def tell_of_square(shape):
    """Warn of an `input_shape` (H, H), where a grey picture's channel may be forgotten; a signal's shape is (T, C)."""
    if not isinstance(shape, tuple | list) or len(shape) != 2 or shape[0] != shape[1]:
        return
    if isinstance(shape[0], int) and shape[0] > FEW_CHANNELS:
        told = "input_shape (%d, %d) is a signal of %d steps and %d channels; grey pictures are (%d, %d, 1)"
        log.warning(told, *shape * 3)


def chosen_stem(stem, shape):
    """The stem that `stem` of `build_model` means for images of `shape`; None for the row's own."""
    if stem != "auto":
        return stem
    sides = [side for side in shape[:-1] if side is not None]
    return "small" if sides and min(sides) < SMALL_PICTURE else None


def _layer_name(tensor):
    return tensor._keras_history.operation.name
