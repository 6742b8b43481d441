"""The recipe: everything a training run was asked to do, in one schema.

Each field carries its bounds, its default and one line of description; TOML files, command-line help,
dashboard forms and the table in the docs are all made from it, so that no default has a second home.
This file loads no TensorFlow.
"""

import tomllib
import typing
from pathlib import Path
from typing import Annotated, Literal

import tomli_w
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from kcnn.disk import read_bounded
from kcnn.errors import UserError, unknown_name
from kcnn.resources import RUNS

MAX_TOML_BYTES = 1 << 20
IN_MEMORY = "memory"  # the data.source of a run on data that has no address

Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]


def _ordered(pair):
    if pair[0] > pair[1]:
        raise ValueError("the first number is the smallest and must not be above the second")
    return pair


def _one_after_another(extensions):
    for (start, count), (following, _) in zip(extensions, extensions[1:], strict=False):
        if not start < following <= start + count:
            raise ValueError("each pair is (epoch it began after, epochs added) and begins within the one before")
    return extensions


def _no_servers(strategy):
    if strategy == "parameter_server":
        raise ValueError("Keras 3 has no code for parameter servers; auto, mirrored and multi_worker add up gradients")
    return strategy


Extension = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1, le=100_000)]]
Extensions = Annotated[tuple[Extension, ...], AfterValidator(_one_after_another)]
Range = Annotated[tuple[Positive, Positive], AfterValidator(_ordered)]
Share = Annotated[float, Field(gt=0, le=1)]
Shares = Annotated[tuple[Share, Share], AfterValidator(_ordered)]


class Section(BaseModel):
    """A part of the recipe: unknown keys are refused, values are checked and then frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Data(Section):
    """What to learn from, and how it becomes pictures of one size."""

    source: str = Field(
        "builtin:digits", description="a folder or an archive of one, a CSV or .npz file, tfds:NAME or builtin:digits"
    )
    image_size: int | None = Field(
        None,
        ge=4,
        le=4096,
        description="side of the square the network sees, in pixels; none: that of the data, at most 224",
    )
    channels: Literal[1, 3] | None = Field(None, description="1 grey, 3 colour; none: as the data has it")
    framing: Literal["crop", "stretch", "pad"] = Field(
        "crop", description="how a picture of another shape becomes square outside training"
    )
    validation: Fraction = Field(0.15, description="share of the training pictures held out to choose the best weights")
    test: Fraction = Field(0.0, description="share held out for one last score, where the data brings no test split")
    limit: int | None = Field(None, ge=1, description="use at most so many training pictures; none: all")
    image_column: str = Field("image", description="CSV column with the file names, relative to the CSV file")
    label_column: str = Field("label", description="CSV column with the class; several, split by '|', mean multi-label")
    weight_column: str | None = Field(None, description="CSV column with a weight for each picture")
    split_column: str | None = Field(None, description="CSV column naming the split: train, val, test or any other")
    group_column: str | None = Field(
        None, description="CSV column naming what pictures share (a patient, a scene): no group is split"
    )
    quarantine: str | None = Field(
        None, description="CSV file of pictures to leave out, as `kcnn check DATA --out FOLDER` writes it"
    )
    cache: Literal["none", "memory", "disk"] = Field(
        "none", description="keep encoded pictures of files in memory; disk: in one file for the next time, too"
    )
    max_pixels: int = Field(100_000_000, ge=1, description="a picture of more pixels is refused before it is decoded")


class Model(Section):
    """Which network."""

    architecture: str = Field("resnet18", description="a name from `kcnn list architectures`")
    head: str = Field("classifier", description="a name from `kcnn list heads`")
    top: Literal["pooled", "own"] = Field(
        "pooled", description="pooled: global average and one layer; own: the family's"
    )
    stem: Literal["auto", "small", "standard"] = Field("auto", description="auto: small for pictures under 64 px")
    dropout: Fraction = Field(0.0, description="share of the features dropped before the last layer")
    multi_label: bool | None = Field(None, description="several labels a picture; none: as the data says")
    overrides: dict[str, object] = Field({}, description="fields of the architecture's row to change, such as width")
    style: dict[str, object] = Field({}, description="fields of the row's style to change, such as norm or activation")
    weights: str | None = Field(
        None, description="start from the weights of this earlier run or .safetensors file; none: from scratch"
    )


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
    choices: tuple[OwnChoice, ...] = Field(min_length=1, description="of which each sample draws one evenly")


class Augment(Section):
    """Random changes to training pictures; zero or none switches each one off."""

    flip_horizontal: float = Field(0.0, ge=0, le=1, description="probability of a left-right flip")
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
    policy: str | None = Field(None, description="randaugment or another from `kcnn list augmentations`; none: off")
    policy_steps: int | None = Field(None, ge=1, le=8, description="operations a sample, for randaugment; none: 2")
    policy_magnitude: float | None = Field(None, ge=0, le=30, description="strength, for randaugment; none: 9")
    steps: tuple[OwnStep, ...] = Field((), max_length=8, description="a policy of your own, as [[augment.steps]]")
    fill: int = Field(0, ge=0, le=255, description="grey level that fills what geometry uncovers")
    erasing: float = Field(0.0, ge=0, le=1, description="probability of erasing a random rectangle")
    cutout: float = Field(0.0, ge=0, le=1, description="side of a blanked square, as a share of the picture's")
    grid_mask: float = Field(0.0, ge=0, le=1, description="probability of blanking a grid of squares")
    mixup: float = Field(0.0, ge=0, description="MixUp's alpha: pictures and labels are blended in pairs")
    cutmix: float = Field(0.0, ge=0, description="CutMix's alpha: a rectangle comes from another picture")


class Train(Section):
    """How the weights are found."""

    epochs: int = Field(20, ge=1, le=100_000, description="passes over the training pictures")
    batch_size: int = Field(64, ge=1, description="pictures a step, over all devices")
    optimizer: str = Field("adamw", description="sgd, adam, adamw or rmsprop: adamw is robust, sgd may win last points")
    learning_rate: float = Field(1e-3, gt=0, description="the peak of the schedule")
    reference_batch: int | None = Field(
        None,
        ge=1,
        description="the batch the rate was chosen for: it is scaled by batch_size over this; none: used as it is",
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd and rmsprop")
    nesterov: bool = Field(True, description="Nesterov's momentum, for sgd")
    weight_decay: float = Field(1e-4, ge=0, description="decoupled, on kernels only: norms and biases are left alone")
    schedule: str = Field(
        "cosine", description="constant, step, cosine, one_cycle, polynomial, restarts, cyclical, plateau"
    )
    warmup_epochs: float = Field(0.0, ge=0, description="the rate rises linearly from nothing over so many epochs")
    clip_norm: float | None = Field(None, gt=0, description="largest global norm of the gradient; none: not clipped")
    ema: float | None = Field(
        None, gt=0, lt=1, description="decay of a moving average of the weights, used to evaluate; none: off"
    )
    label_smoothing: Fraction = Field(0.0, description="share of the target spread over all classes")
    class_weights: Literal["none", "balanced"] = Field("none", description="balanced: rare classes count more")
    focal_gamma: float = Field(0.0, ge=0, le=10, description="focal loss's focus on hard pictures; 0: cross-entropy")
    early_stopping: int | None = Field(
        None, ge=1, description="stop after so many epochs without a better validation score"
    )
    accumulate: int = Field(
        1, ge=1, description="parts of a batch computed one after another: less memory; batch norm sees the parts"
    )
    rematerialize: bool = Field(
        False, description="compute activations again in the backward pass: less memory, about a third more time"
    )
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="the rate of each level of the network over that of the next deeper one"
    )
    freeze_epochs: int = Field(0, ge=0, description="fine-tuning: epochs in which only the head learns")
    fine_tune_factor: float = Field(
        0.1, gt=0, le=1, description="fine-tuning: the rate of the second phase over the first's"
    )
    extensions: Extensions = Field(
        (), description="written by `kcnn extend`: after which epoch each extension began, and how many epochs it adds"
    )
    extend_factor: float = Field(
        0.1, gt=0, le=1, description="extending: the peak rate of each extension over that of the training it extends"
    )
    checkpoint_minutes: float = Field(5.0, gt=0, description="a checkpoint at least so often, and at every epoch's end")

    @model_validator(mode="after")
    def _extensions_follow(self):
        if self.extensions and self.extensions[0][0] > self.epochs:
            raise ValueError(f"the first of train.extensions must begin within train.epochs = {self.epochs}")
        return self

    @model_validator(mode="after")
    def _parts_are_equal(self):
        if self.batch_size % self.accumulate:
            raise ValueError(f"train.batch_size {self.batch_size} must divide by train.accumulate {self.accumulate}")
        return self

    @property
    def last_epoch(self):
        """How many epochs there are with all extensions."""
        return sum(self.extensions[-1]) if self.extensions else self.epochs


class Runtime(Section):
    """Where and how it runs."""

    seed: int = Field(0, ge=0, lt=2**31, description="of weights, order, augmentation and split")
    deterministic: bool = Field(False, description="bit-identical repeats, at some cost in speed; means float32")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the computation; weights stay float32; auto: the faster one, by a short measurement"
    )
    strategy: Annotated[Literal["auto", "none", "mirrored", "multi_worker"], BeforeValidator(_no_servers)] = Field(
        "auto",
        description="auto: the workers of TF_CONFIG or Slurm, else all GPUs here (mirrored), else one device (none)",
    )
    threads: int | None = Field(None, ge=1, description="processor threads of one operation; none: one a core")
    runs: str = Field(RUNS, description="the folder in which run folders are made")


class Recipe(Section):
    """All of it. `Recipe()` is the default recipe; every field is documented by `kcnn list options`."""

    data: Data = Data()
    model: Model = Model()
    augment: Augment = Augment()
    train: Train = Train()
    runtime: Runtime = Runtime()

    @model_validator(mode="after")
    def _same_margins(self):
        if self.data.framing == "pad" and self.augment.fill:
            raise ValueError("augment.fill must be 0 where data.framing is 'pad': margins are black in serving too")
        return self

    def override(self, changes):
        """A new recipe with `changes`, a dict of "section.key" → value; unknown keys raise `UserError`."""
        tree = self.model_dump()
        for path, value in changes.items():
            section, _, key = path.partition(".")
            if section not in tree:
                raise unknown_name("recipe section", section, tree)
            if not key:
                raise UserError(f"recipe key {path!r} must read section.key, such as train.epochs")
            tree[section][key] = value
        return parse(tree)

    def to_toml(self):
        """The whole recipe as TOML text; fields that are None are left out, as TOML has no null."""
        return tomli_w.dumps(_without_none(self.model_dump(mode="json")))


def parse(tree):
    """A checked `Recipe` from nested dicts; every mistake is one line naming the key, the rule and the value."""
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        raise UserError("; ".join(_explain(e) for e in error.errors())) from None


def read(path):
    """The recipe in the TOML file `path` (at most 1 MiB)."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no such recipe: {path}; `kcnn list recipes` names those that come with kcnn")
    try:
        return parse(tomllib.loads(read_bounded(path, MAX_TOML_BYTES).decode("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"recipe {path} is no TOML: {error}") from None


def parse_setting(text):
    """("section.key", value) from "section.key=value"; the value is read as TOML, a bare word as a string."""
    path, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set {text!r} must read section.key=value, such as train.epochs=5")
    if value.strip() == "none":
        return path.strip(), None
    try:
        return path.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return path.strip(), value.strip()


def options():
    """Every field as (path, type, default, description), in order: the table behind help, forms and docs."""
    for section, field in Recipe.model_fields.items():
        for key, spec in field.annotation.model_fields.items():
            yield f"{section}.{key}", spec.annotation, spec.default, spec.description


def flat(tree, path=""):
    """{"a.b": value} of nested dicts."""
    found = {}
    for key, value in tree.items():
        found |= flat(value, f"{path}{key}.") if isinstance(value, dict) else {f"{path}{key}": value}
    return found


def _without_none(tree):
    if isinstance(tree, list):
        return [_without_none(part) for part in tree]
    return {k: _without_none(v) for k, v in tree.items() if v is not None} if isinstance(tree, dict) else tree


def _section_at(path):
    """The section of the recipe at a `path` such as ("augment", "steps", 0)."""
    section = Recipe
    for part in path:
        if isinstance(part, str):
            kind = section.model_fields[part].annotation
            section = typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else kind
    return section


def _explain(error):
    path = ".".join(
        str(part) for part in error["loc"] if not str(part).startswith(("function-", "tuple", "constrained"))
    )
    if error["type"] == "extra_forbidden":
        *parents, key = error["loc"]
        where = f" (in [{'.'.join(part for part in parents if isinstance(part, str))}])" if parents else ""
        return str(unknown_name("recipe key", key, _section_at(parents).model_fields)) + where
    rule = error["msg"].removeprefix("Value error, ")
    if not path:
        return rule
    return f"recipe key {path}: {rule[0].lower()}{rule[1:]}, not {error['input']!r}"
