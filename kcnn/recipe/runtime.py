"""[runtime] of a recipe."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from kcnn.recipe.section import BASIC, WRITTEN, Section
from kcnn.resources import RUNS


def _no_servers(strategy):
    if strategy == "parameter_server":
        raise ValueError("Keras 3 has no code for parameter servers; auto, mirrored and multi_worker add up gradients")
    return strategy


class Runtime(Section):
    """Where and how it runs."""

    seed: int = Field(
        0, ge=0, lt=2**31, description="of weights, order, augmentation and split", json_schema_extra=BASIC
    )
    deterministic: bool = Field(False, description="bit-identical repeats, at some cost in speed; means float32")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the computation; weights stay float32; auto: the faster one, by a short measurement"
    )
    strategy: Annotated[Literal["auto", "none", "mirrored", "multi_worker"], BeforeValidator(_no_servers)] = Field(
        "auto",
        description="auto: the workers of TF_CONFIG or Slurm, else all GPUs here (mirrored), else one device (none)",
    )
    threads: int | None = Field(None, ge=1, description="processor threads of one operation; none: one a core")
    runs: str = Field(RUNS, description="the folder in which run folders are made", json_schema_extra=WRITTEN)
