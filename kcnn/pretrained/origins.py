"""Where weights come from: a published file, a file of the user or an earlier run, and how they were trained there."""

from dataclasses import dataclass, field
from pathlib import Path

from kcnn import data
from kcnn.errors import UserError
from kcnn.layers import MID_GREY
from kcnn.pretrained.files import HDF5
from kcnn.pretrained.layouts import Scaling
from kcnn.pretrained.published import IMAGENET, fetch
from kcnn.run_folder import RunFolder

MODELS = (".keras",)  # `kcnn convert` takes the weights out of them
PICKLED = (".pth", ".pt", ".bin", ".ckpt", ".pkl", ".pickle")


@dataclass(frozen=True)
class Origin:
    """A file of weights at `path` and what the run that wrote it, if one of ours did, was trained with.

    scaling: of its input, None where nothing is known; `of_pictures` unless it was measured on other data.
    style, overrides: what its recipe changed in the architecture's row.
    """

    path: Path
    scaling: Scaling | None = None
    of_pictures: bool = True
    style: dict[str, object] = field(default_factory=dict)
    overrides: dict[str, object] = field(default_factory=dict)


def origin_of(source, architecture):
    """The `Origin` that `source` means: "imagenet", a run folder, or a file; raises `UserError` for programs."""
    if source == IMAGENET:
        return Origin(fetch(architecture))
    if str(source).lower().startswith(IMAGENET) and not Path(source).exists():
        raise UserError(f"no weights at {source}; did you mean {IMAGENET!r}, the files of keras.applications?")
    source = Path(source)
    _refuse_programs(source)
    if source.is_file() or source.suffix.lower() in (".safetensors", *HDF5):
        return Origin(source)
    return _of_run(RunFolder.open(source), architecture)


def _of_run(run, architecture):
    facts, model = data.Facts.read(run.facts_file), run.recipe().model
    scaling = Scaling(facts.mean, facts.std)
    overrides = model.overrides if model.architecture == architecture else {}
    measured = facts.measured or not (model.weights or tuple(facts.mean) == (MID_GREY,))  # older runs do not say so
    return Origin(run.best, scaling, not measured, model.style, overrides)


def _refuse_programs(source):
    suffix = source.suffix.lower()
    if suffix in MODELS:
        raise UserError(f"model.weights: {source} may run code when it is loaded; `kcnn convert` takes its weights out")
    if suffix in PICKLED:
        raise UserError(
            f"model.weights: {source} may run code when it is loaded; where you trust it, save its tensors with "
            "safetensors.torch.save_file(model.state_dict(), …) and give that .safetensors file"
        )
    if (source / "saved_model.pb").exists():
        raise UserError(
            f"model.weights: {source} is a SavedModel, which is a program; give a run or a .safetensors file"
        )
