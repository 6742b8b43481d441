"""Numbers stored in masks, as classes: the rules that files of masks, volumes and arrays share."""

from typing import NamedTuple

import numpy as np

from kcnn.errors import UserError
from kcnn.masks import IGNORE

MOST_FOUND = 64  # numbers, or colours, that are taken for classes without a list of them
SPARSE = 4  # classes to each number that occurs; beyond, the numbers are no classes
EMPTY = "its mask is empty: no place of it is judged (all 255)"


class Numbering(NamedTuple):
    """`names` of the classes; `table` uint8 (256,) from stored numbers to class numbers or IGNORE.

    `highest`: the greatest class number that occurs; `binary`: 255 is class 1; `file`: what named them, or None. From
    the count of names up the table holds numbers of no class.
    """

    names: tuple[str, ...]
    table: np.ndarray
    highest: int
    binary: bool
    file: str | None

    def classes(self):
        """{stored number: class number or IGNORE} of all that are known."""
        return {number: k for number, k in enumerate(self.table.tolist()) if k < len(self.names) or k == IGNORE}

    def refusal(self, counts):
        """Why a volume's mask with `counts` (256,) of its numbers cannot be used, "" if it can."""
        unknown = np.flatnonzero((counts > 0) & (self.table >= len(self.names)) & (self.table != IGNORE))
        if len(unknown):
            return unknown_number(unknown[0], f"{counts[unknown[0]]} voxels", self.names, self.file)
        return "" if counts[self.table != IGNORE].any() else EMPTY

    def pixels(self, counts):
        """int64 (K,): how many places each class has."""
        return np.array([counts[self.table == k].sum() for k in range(len(self.names))], np.int64)


def numbering_of(found, names=None, ignored=None, file=None):
    """The `Numbering` of masks that hold the numbers `found`, 0 to 255 or -1, which is not judged.

    Nor is 255, unless it is alone beside 0: then it is class 1; nor the number `ignored`. Without `names`, which came
    from `file`, the classes are numbered up to the highest that occurs, and two at least; then more numbers than can be
    classes raise `UserError`.
    """
    table, binary = np.arange(256, dtype=np.uint8), is_binary(found, ignored)
    if binary:
        table[IGNORE] = 1
    if ignored is not None:
        table[ignored] = IGNORE
    highest = max((int(table[number]) for number in found if number >= 0 and table[number] != IGNORE), default=0)
    if not names:
        _check_found(len(set(found) - {-1, IGNORE, ignored}), highest)
    names = tuple(names) if names else tuple(f"class {k}" for k in range(max(2, highest + 1)))
    return Numbering(names, table, highest, binary, file)


def _check_found(count, highest):
    """Refuse what greys between black and white would make of two classes."""
    if count > MOST_FOUND or highest > max(MOST_FOUND, SPARSE * count):
        raise UserError(
            f"the masks have {count} numbers up to {highest}, and no list names them: if they are black and white with "
            f"soft edges, save them as 0 and 255 alone (threshold them); if they are {highest + 1} classes, name them "
            "(classes.txt with a line for each, or class_names)"
        )


def is_binary(found, ignored=None):
    """True where 255 is found, and nothing else but 0, and `ignored` does not say that it is not judged."""
    return IGNORE in found and set(found) <= {0, IGNORE} and ignored != IGNORE


def unknown_number(number, places, names, file):
    """A few words on a number that is none of the classes `names`; `places` says how often it occurs."""
    by = f"{file} names" if file else "known are"
    return f"its mask has class {number} ({places}); {by} 0 to {len(names) - 1} ({names[-1]})"
