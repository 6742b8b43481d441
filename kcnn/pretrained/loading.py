"""Weights of another program, or of an earlier run, into one of our networks; and the report of what became of each."""

from dataclasses import dataclass, field

from kcnn.errors import UserError
from kcnn.pretrained.layouts import layouts_of
from kcnn.pretrained.tensors import as_ours, other_channels, tensor_names
from kcnn.training.weights import weight_variables

IGNORED = ("num_batches_tracked", "normalization/mean", "normalization/variance", "normalization/count")


@dataclass
class Loaded:
    """What became of every weight of a network, by its path.

    program: whose file it was; "kcnn" for our own. matched: set as they were. reshaped: set after a change of the
    number of input channels. fresh: drawn at random, since the file has them not or for other classes. unused: names
    of the file's tensors that the network has no place for.
    """

    program: str
    matched: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    def lines(self):
        """The report as text, a fact a line."""
        yield f"weights of {self.program}: {len(self.matched)} tensors as they were"
        for word, names in (("reshaped", self.reshaped), ("fresh", self.fresh), ("not used", self.unused)):
            if names:
                yield f"  {len(names)} {word}: {', '.join(names[:6])}{', …' if len(names) > 6 else ''}"


def recognise(model, variant, tensors, path):
    """The `Layout` of the program that wrote `tensors`, None for our own; `UserError` if none fits `variant`.

    It is the one that finds most of the weights of `model`, which was built from `variant` as it is customised.
    """
    layers = {layer.name: layer for layer in model.layers}
    paths = list(weight_variables(model))
    candidates = [None, *layouts_of(variant)]
    scores = [
        sum(_name(weight, layers[weight.split("/")[0]], variant, tensors, found) is not None for weight in paths)
        for found in candidates
    ]
    if not max(scores):
        known = ", ".join(["kcnn", *(found.program for found in candidates[1:])])
        raise UserError(
            f"{path} holds no weights of {variant.name}, by the names that {known} give them; "
            "choose the architecture that they were trained with"
        )
    return candidates[scores.index(max(scores))]


def load(model, variant, tensors, layout):
    """Set the weights of `model`, built from `variant`, from another program's `tensors`; returns `Loaded`."""
    report, used = Loaded(layout.program if layout else "kcnn"), set()
    layers = {layer.name: layer for layer in model.layers}
    first = first_kernel(model)
    for path, variable in weight_variables(model).items():
        layer = layers[path.split("/")[0]]
        name = _name(path, layer, variant, tensors, layout)
        kind = "fresh" if name is None else _set(variable, tensors[name], layer, path == first, layout)
        used.add(name)
        getattr(report, kind).append(path)
    report.unused = [name for name in tensors if name not in used and not name.endswith(IGNORED)]
    if not report.matched:
        raise UserError(f"no tensor fits {variant.name}; choose the architecture that they were trained with")
    return report


def _name(path, layer, variant, tensors, layout):
    """The name in the file of our variable `path`; None if the file has it not."""
    if layout is None:
        return path if path in tensors else None
    module = layout.module(layer.name, variant.row)
    names = tensor_names(path.rsplit("/", 1)[1], module, layout.program) if module else []
    return next((name for name in names if name in tensors), None)


def _set(variable, tensor, layer, is_first, layout):
    """Give `variable` the value of `tensor`; "matched", "reshaped", or "fresh" if its shape is another one."""
    shape, kind = tuple(variable.shape), "matched"
    if layout is not None:
        tensor = as_ours(tensor, layer, variable.path.rsplit("/", 1)[1], layout.program)
    if is_first and layout is not None and layout.scaling.bgr and tensor.shape[-2] == 3:
        tensor = tensor[..., ::-1, :]
    if is_first and tensor.ndim == len(shape) and tensor.shape[-2] != shape[-2]:
        tensor, kind = other_channels(tensor, shape[-2]), "reshaped"
    if tensor.shape != shape and _sides(tensor.shape) == _sides(shape):
        tensor = tensor.reshape(shape)  # (1, D, 1, 1) for (D,) and the like
    if tensor.shape != shape:
        return "fresh"
    variable.assign(tensor)
    return kind


def _sides(shape):
    return [side for side in shape if side != 1]


def first_kernel(model):
    """The path of the kernel that sees the picture's channels; None if there is none."""
    kernels = (path for path in weight_variables(model) if path.endswith("/kernel"))
    return next(kernels, None)
