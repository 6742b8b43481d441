"""[data] of a recipe."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field

from kcnn.recipe.section import BASIC, PLACE, Fraction, Section

IN_MEMORY = "memory"  # the data.source of a run on data that has no address


def word_of(address):
    """A short name made of letters, digits and _ for the data at an `address`: "digits", "photos", "data"."""
    prefixed = address.startswith(("tfds:", "builtin:"))
    last = re.split(r"[:/]", address)[1] if prefixed else Path(address).resolve().stem.removesuffix(".tar")
    return re.sub(r"\W+", "_", last).strip("_") or "data"


class Data(Section):
    """What to learn from, and how it becomes pictures of one size."""

    source: str = Field(
        "builtin:digits",
        description="a folder or an archive of one, a CSV, .npz or COCO .json file, tfds:NAME or builtin:NAME",
        json_schema_extra=BASIC | PLACE,
    )
    image_size: int | None = Field(
        None,
        ge=4,
        le=4096,
        description="side of the square the network sees, in pixels; none: that of the data, at most 224",
        json_schema_extra=BASIC,
    )
    channels: Literal[1, 3] | None = Field(None, description="1 grey, 3 colour; none: as the data has it")
    framing: Literal["auto", "crop", "stretch", "pad", "native"] = Field(
        "auto",
        description="how a picture becomes square outside training; auto: pad for boxes, else crop; native: a window "
        "of its own pixels",
    )
    validation: Fraction = Field(0.15, description="share of the training pictures held out to choose the best weights")
    test: Fraction = Field(0.0, description="share held out for one last score, where the data brings no test split")
    limit: int | None = Field(None, ge=1, description="use at most so many training pictures; none: all")
    image_column: str = Field("image", description="CSV column with the file names, relative to the CSV file")
    label_column: str = Field(
        "label",
        description="CSV column with the class; several, split by '|', mean multi-label; or a tfds: set's mask",
    )
    weight_column: str | None = Field(None, description="CSV column with a weight for each picture")
    split_column: str | None = Field(None, description="CSV column naming the split: train, val, test or any other")
    group_column: str | None = Field(
        None, description="CSV column naming what pictures share (a patient, a scene): no group is split"
    )
    quarantine: str | None = Field(
        None,
        description="CSV file of pictures to leave out, as `kcnn check DATA --out FOLDER` writes it",
        json_schema_extra=PLACE,
    )
    cache: Literal["none", "memory", "disk"] = Field(
        "none", description="keep encoded pictures of files in memory; disk: in one file for the next time, too"
    )
    max_pixels: int = Field(100_000_000, ge=1, description="a picture of more pixels is refused before it is decoded")
