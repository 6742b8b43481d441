"""What the options of heads may be: doors for numbers, whole numbers and lists of them."""

import math
from numbers import Real

from kcnn.errors import UserError


def in_range(name, value, low, high=math.inf):
    """Refuse a `value` that is no number from `low` to below `high`."""
    if not isinstance(value, Real) or isinstance(value, bool) or not low <= value < high:
        bound = f"from {low} to below {high}" if high < math.inf else f"of {low} or more"
        raise UserError(f"{name} is {value!r}: it must be a number {bound}")


def pair(name, values):
    """The two numbers of 0 or more that `values` are."""
    if not isinstance(values, tuple) or len(values) != 2:
        raise UserError(f"{name} is {values!r}: it must be two numbers")
    for value in values:
        in_range(name, value, 0)
    return values


def whole(name, value, least=1):
    """Refuse a `value` that is no whole number of `least` or more."""
    if type(value) is not int or value < least:
        raise UserError(f"{name} is {value!r}: it must be a whole number of {least} or more")


def wholes(name, values, rule="a list of whole numbers above 0", distinct=False):
    """Refuse `values` that are no tuple of whole numbers above 0, one at least, and none twice if `distinct`."""
    fits = isinstance(values, tuple) and values and all(type(value) is int and value > 0 for value in values)
    if not fits or (distinct and len(set(values)) < len(values)):
        raise UserError(f"{name} is {values!r}: it must be {rule}")


def switch(name, value):
    """Refuse a `value` that is neither True nor False."""
    if type(value) is not bool:
        raise UserError(f"{name} is {value!r}: it must be true or false")
