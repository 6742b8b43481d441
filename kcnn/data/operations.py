"""The registry of operations: what a recipe, a policy or a user's own steps may do to a picture.

An operation is a function and what a drawn program must know of it. Those that change values take one picture uint8
(H, W, C) and `amounts` (3,): the magnitude in the operation's own unit, and two numbers in [0, 1) for operations that
have chance of their own; they give uint8 of that shape. Those that move the picture take magnitudes (B,) and the
frame's sides (2: width, height), and give matrices (B, 3, 3) from points of the new frame to points of the old one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kcnn.registry import Registry

OPERATIONS = Registry("augmentation operation")


@dataclass(frozen=True)
class Operation:
    """`apply` as above; `does`: a sentence; `neutral`: the magnitude that changes nothing, None where there is none.

    `bounds`: the least and the largest magnitude that mean something, None where there is no magnitude.
    """

    apply: Callable
    does: str
    neutral: float | None = None
    bounds: tuple[float, float] | None = None
    colour: bool = False  # needs three channels; pictures of another number stay as they are
    moves: bool = False  # changes places, not values
    turns: bool = False  # moves, and rows do not stay rows
    field: str | None = None  # of [augment], for one that only this field asks for: no policy may hold it


def operation(name, neutral=None, bounds=None, **traits):
    """Decorator: registers the decorated function as the operation `name`, and returns it."""

    def add(function):
        OPERATIONS.add(name, Operation(function, function.__doc__.strip(), neutral, bounds, **traits))
        return function

    return add
