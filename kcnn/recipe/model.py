"""[model] of a recipe."""

from typing import Literal

from pydantic import Field

from kcnn.recipe.section import BASIC, PLACE, Fraction, Section, named


class Model(Section):
    """Which network."""

    architecture: str = Field(
        "resnet18",
        description="a name from `kcnn list architectures`",
        json_schema_extra=BASIC | named("architectures"),
    )
    head: str = Field(
        "classifier", description="a name from `kcnn list heads`", json_schema_extra=BASIC | named("heads")
    )
    top: Literal["pooled", "own"] = Field(
        "pooled", description="pooled: global average and one layer; own: the family's"
    )
    stem: Literal["auto", "small", "standard"] = Field("auto", description="auto: small for pictures under 64 px")
    dropout: Fraction = Field(0.0, description="share of the features dropped before the last layer")
    multi_label: bool | None = Field(None, description="several labels a picture; none: as the data says")
    head_options: dict[str, object] = Field(
        {}, description="further fields of the head to set, such as the objective of a unet"
    )
    overrides: dict[str, object] = Field({}, description="fields of the architecture's row to change, such as width")
    style: dict[str, object] = Field({}, description="fields of the row's style to change, such as norm or activation")
    auxiliary: bool = Field(
        True, description="train auxiliary outputs too: classifiers of families such as googlenet, deep supervision"
    )
    weights: str | None = Field(
        None,
        description="start from imagenet, an earlier run, a .safetensors or .h5 file of weights; none: random",
        json_schema_extra=BASIC | PLACE,
    )
