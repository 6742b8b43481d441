"""[train] of a recipe."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from kcnn.recipe.section import BASIC, WRITTEN, Fraction, Section, named


def _one_after_another(extensions):
    for (start, count), (following, _) in zip(extensions, extensions[1:], strict=False):
        if not start < following <= start + count:
            raise ValueError("each pair is (epoch it began after, epochs added) and begins within the one before")
    return extensions


Extension = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1, le=100_000)]]
Extensions = Annotated[tuple[Extension, ...], AfterValidator(_one_after_another)]


class Train(Section):
    """How the weights are found."""

    epochs: int = Field(20, ge=1, le=100_000, description="passes over the training pictures", json_schema_extra=BASIC)
    batch_size: int = Field(64, ge=1, description="pictures a step, over all devices", json_schema_extra=BASIC)
    optimizer: str = Field(
        "adamw",
        description="sgd, adam, adamw or rmsprop: adamw is robust, sgd may win last points",
        json_schema_extra=named("optimizers"),
    )
    learning_rate: float = Field(1e-3, gt=0, description="the peak of the schedule", json_schema_extra=BASIC)
    reference_batch: int | None = Field(
        None,
        ge=1,
        description="the batch the rate was chosen for: it is scaled by batch_size over this; none: used as it is",
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd and rmsprop")
    nesterov: bool = Field(True, description="Nesterov's momentum, for sgd")
    weight_decay: float = Field(1e-4, ge=0, description="decoupled, on kernels only: norms and biases are left alone")
    schedule: str = Field(
        "cosine",
        description="constant, step, cosine, one_cycle, polynomial, restarts, cyclical, plateau",
        json_schema_extra=BASIC | named("schedules"),
    )
    warmup_epochs: float = Field(
        0.0, ge=0, description="the rate rises linearly over so many epochs; 0: not, or as the head needs"
    )
    clip_norm: float | None = Field(
        None, gt=0, description="largest global norm of the gradient; none: off, or as the head needs"
    )
    ema: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="decay of a moving average of the weights, used to evaluate; none: off, or as the head needs",
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
        (),
        description="written by `kcnn extend`: after which epoch each extension began, and how many epochs it adds",
        json_schema_extra=WRITTEN,
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
