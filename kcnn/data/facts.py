"""Facts: what a run learned about its data, kept as facts.json beside the recipe.

A model is rebuilt from recipe, facts and weights; nothing else is needed.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from kcnn.data.frames import choose_frame, statistics
from kcnn.disk import read_bounded, write_atomically
from kcnn.errors import UserError
from kcnn.layers import MID_GREY
from kcnn.recipe import Data


class Facts(BaseModel):
    """The data as the model needs to know it.

    `input_shape` is (H, W, C); `mean` and `std` are what the scaling layer subtracts and divides by, one number or
    one a channel, `measured` on data that is no pictures from 0 to 255; `split_sizes` and `class_counts` (of the
    training split) count pictures. `task` is the data set's: "labels", "boxes", or "masks", of which `class_pixels` are
    counted in the training split.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    class_names: tuple[str, ...]
    input_shape: tuple[int, ...]
    multi_label: bool = False
    mean: tuple[float, ...] = (MID_GREY,)
    std: tuple[float, ...] = (MID_GREY,)
    measured: bool = False
    framing: str = "crop"
    max_pixels: int = Data().max_pixels
    split_sizes: dict[str, int] = {}
    class_counts: tuple[int, ...] = ()
    task: Literal["labels", "masks", "boxes"] = "labels"
    class_pixels: tuple[int, ...] = ()
    format: str = ""
    fingerprint: str = ""
    set_aside: tuple[tuple[str, str], ...] = ()

    @property
    def num_classes(self):
        return len(self.class_names)

    def steps_per_epoch(self, batch_size):
        """How many batches make an epoch: a whole number near to one pass over the training pictures."""
        return max(1, round(self.split_sizes.get("train", 0) / batch_size))

    def write(self, path):
        """Write facts.json; the file is complete or absent, never half written."""
        write_atomically(path, self.model_dump_json(indent=1))

    @classmethod
    def read(cls, path):
        """The facts in the file `path`."""
        path = Path(path)
        if not path.is_file():
            raise UserError(f"no facts at {path}: the folder is no finished or running run")
        try:
            return cls.model_validate_json(read_bounded(path))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise UserError(f"facts {path} cannot be read: {where}: {first['msg']}") from None


def framing_of(dataset, options):
    """How a picture of `dataset` becomes a frame under `options` (recipe.Data): of objects all is to be seen."""
    if options.framing != "auto":
        return options.framing
    return "pad" if dataset.task == "boxes" else "crop"


def facts_of(dataset, recipe):
    """The facts of a checked `dataset` under `recipe`: the frame is chosen here, float data measured."""
    train = dataset.splits["train"]
    mean, std = statistics(train) if train.is_float else ((MID_GREY,), (MID_GREY,))
    return Facts(
        class_names=dataset.class_names,
        input_shape=choose_frame(dataset, recipe.data),
        multi_label=dataset.multi_label if recipe.model.multi_label is None else recipe.model.multi_label,
        mean=mean,
        std=std,
        measured=train.is_float,
        framing=framing_of(dataset, recipe.data),
        max_pixels=recipe.data.max_pixels,
        split_sizes={name: len(samples) for name, samples in dataset.splits.items()},
        class_counts=dataset.class_counts("train"),
        task=dataset.task,
        class_pixels=dataset.class_pixels("train"),
        format=dataset.format,
        fingerprint=dataset.fingerprint,
        set_aside=tuple(dataset.set_aside),
    )
