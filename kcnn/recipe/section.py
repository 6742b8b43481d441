"""What the sections of a recipe are made of."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# What a field says to forms, in its JSON schema: which names it takes (a kind of `kcnn.catalogue`), that the short form
# shows it, that it is an address on the disk, or that no form sets it.
BASIC = {"basic": True}
PLACE = {"place": True}
WRITTEN = {"written": True}


def named(kind):
    """The mark of a field that takes a name of `kind`."""
    return {"names": kind}


Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]


def _ordered(pair):
    if pair[0] > pair[1]:
        raise ValueError("the first number is the smallest and must not be above the second")
    return pair


Range = Annotated[tuple[Positive, Positive], AfterValidator(_ordered)]
Share = Annotated[float, Field(gt=0, le=1)]
Shares = Annotated[tuple[Share, Share], AfterValidator(_ordered)]


class Section(BaseModel):
    """A part of the recipe: unknown keys are refused, values are checked and then frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
