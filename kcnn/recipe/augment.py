"""[augment] of a recipe."""

from pydantic import Field, model_validator

from kcnn.recipe.section import BASIC, Range, Section, Shares, named


class OwnChoice(Section):
    """One operation that a step may be, and the magnitudes between which it is drawn."""

    operation: str = Field(description="a name from `kcnn list augmentations`, which says its unit")
    low: float | None = Field(None, description="least magnitude")
    high: float | None = Field(None, description="largest magnitude")

    @model_validator(mode="after")
    def _two_ends(self):
        if (self.low is None) != (self.high is None) or (self.low is not None and self.low > self.high):
            raise ValueError("give low and high together, low not above high")
        return self


class OwnStep(Section):
    """One step of a user's own policy: with this probability, one of the choices happens."""

    probability: float = Field(1.0, ge=0, le=1, description="that the step happens at all")
    choices: tuple[OwnChoice, ...] = Field(description="of which each sample draws one evenly")

    @model_validator(mode="after")
    def _one_at_least(self):
        if not self.choices:
            raise ValueError("name at least one operation among its choices")
        return self


class Augment(Section):
    """Random changes to training pictures; zero or none switches each one off."""

    flip_horizontal: float = Field(
        0.0, ge=0, le=1, description="probability of a left-right flip", json_schema_extra=BASIC
    )
    flip_vertical: float = Field(0.0, ge=0, le=1, description="probability of an upside-down flip")
    crop_area: Shares | None = Field(None, description="random crop: smallest and largest share of the picture's area")
    crop_ratio: Range = Field((3 / 4, 4 / 3), description="random crop: narrowest and widest width / height")
    scale: Range = Field((1.0, 1.0), description="zoom about the centre: smallest and largest factor")
    rotation: float = Field(0.0, ge=0, le=180, description="largest rotation either way, in degrees")
    shear: float = Field(0.0, ge=0, le=60, description="largest shear either way, in degrees")
    translation: float = Field(0.0, ge=0, le=1, description="largest shift either way, as a share of the side")
    perspective: float = Field(
        0.0, ge=0, le=0.8, description="largest move of the picture's corners inwards, as a share of half the side"
    )
    elastic: float = Field(
        0.0, ge=0, le=0.05, description="smooth distortion: largest standard deviation, as a share of the side"
    )
    brightness: float = Field(0.0, ge=0, le=1, description="factor drawn from 1 - x to 1 + x")
    contrast: float = Field(0.0, ge=0, le=1, description="factor drawn from 1 - x to 1 + x")
    saturation: float = Field(0.0, ge=0, le=1, description="factor drawn from 1 - x to 1 + x")
    pca_colour: float = Field(
        0.0, ge=0, le=1, description="standard deviation of AlexNet's colour shift along principal axes"
    )
    hue: float = Field(0.0, ge=0, le=180, description="largest turn of colours about grey either way, in degrees")
    grey: float = Field(0.0, ge=0, le=1, description="probability of losing all colour")
    gamma: float = Field(0.0, ge=0, le=4, description="exponent drawn from 1 / (1 + x) to 1 + x; above 1 darkens")
    sharpness: float = Field(0.0, ge=0, le=4, description="factor drawn from 1 - x to 1 + x; below 1 smooths")
    blur: float = Field(0.0, ge=0, le=20, description="Gaussian blur: largest standard deviation, in pixels")
    noise: float = Field(0.0, ge=0, le=128, description="normal noise: largest standard deviation, in grey levels")
    policy: str | None = Field(
        None,
        description="randaugment or another from `kcnn list augmentations`; none: off",
        json_schema_extra=BASIC | named("policies"),
    )
    policy_steps: int | None = Field(None, ge=1, le=8, description="operations a sample, for randaugment; none: 2")
    policy_magnitude: float | None = Field(None, ge=0, le=30, description="strength, for randaugment; none: 9")
    steps: tuple[OwnStep, ...] = Field((), max_length=8, description="a policy of your own, as [[augment.steps]]")
    fill: int = Field(0, ge=0, le=255, description="grey level that fills what geometry uncovers")
    erasing: float = Field(0.0, ge=0, le=1, description="probability of erasing a random rectangle")
    cutout: float = Field(0.0, ge=0, le=1, description="side of a blanked square, as a share of the picture's")
    grid_mask: float = Field(0.0, ge=0, le=1, description="probability of blanking a grid of squares")
    mixup: float = Field(0.0, ge=0, description="MixUp's alpha: pictures and labels are blended in pairs")
    cutmix: float = Field(0.0, ge=0, description="CutMix's alpha: a rectangle comes from another picture")
    mosaic: float = Field(
        0.0, ge=0, le=1, description="probability of joining a picture with three others at a random point"
    )
    copy_paste: float = Field(
        0.0, ge=0, le=1, description="probability of pasting what has a class, but class 0, from another picture"
    )
