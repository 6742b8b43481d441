"""What a run is asked when a picture of it is explained: a class of it, or one of the objects that it finds."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kcnn import inspection
from kcnn.errors import UserError


class Asked(NamedTuple):
    """`target`: what explainers are given; `kind`: the class number; `score`: that of it in the picture.

    `scores`: a function from frames (N, H, W, C) to scores, (N, K) of classes or (N, 1) of the object, and `column`
    which of these counts; `box` (4,): the object's, in pixels of the frame, or None.
    """

    target: Any
    kind: int
    score: float
    scores: Callable
    column: int
    box: Any = None


def asked_of_class(name, frame, answers, class_names):
    """`Asked` for the class called `name`, or for None of the one that `answers` see in the frame (H, W, C)."""
    index = answers.seen(frame) if name is None else class_number(name, class_names)
    return Asked(index, index, answers.scores(frame[None])[0, index], answers.scores, index)


def asked_of_box(target, frame, answers, model, head, class_names):
    """`Asked` for an object that `answers` find in the frame: number `target`, the best of that class, or the best.

    A number may be text, where no class is called so.
    """
    found = answers.in_frame(frame)
    kinds = found["classes"].tolist()
    if not kinds:
        raise UserError("nothing was found in this picture, so nothing of it can be explained")
    if isinstance(target, str) and target.isdecimal() and target not in class_names:
        target = int(target)
    if isinstance(target, str):
        kind = class_number(target, class_names)
        number, what = kinds.index(kind) if kind in kinds else len(kinds), target
    else:
        number, what = target or 0, f"object number {target or 0}"
    if not 0 <= number < len(kinds):
        raise UserError(f"no {what} was found in this picture, so none can be explained: {len(kinds)} objects were")
    box, kind = found["boxes"][number], kinds[number]
    ask = inspection.box_question(head, box, kind)

    def scores(frames):
        return np.asarray(ask(model(np.float32(frames), training=False)))[:, None]

    return Asked(ask, kind, found["scores"][number], scores, 0, box)


def class_number(name, class_names):
    """The number of the class of this name; an unknown one raises `UserError`."""
    if name not in class_names:
        raise UserError(f"unknown class {name!r}; known: {', '.join(class_names)}")
    return list(class_names).index(name)
