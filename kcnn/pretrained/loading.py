"""Weights of another program, or of an earlier run, into one of our networks; and the report of what became of each."""

import re
from dataclasses import dataclass, field

from kcnn.errors import UserError
from kcnn.models import depths
from kcnn.pretrained.counts import IGNORED, of_size, way_out
from kcnn.pretrained.layouts import layouts_of
from kcnn.pretrained.tensors import as_ours, other_channels, other_grid, tensor_names
from kcnn.training.weights import weight_variables


@dataclass
class Loaded:
    """What became of every weight of a network, by its path.

    program: whose file it was; "kcnn" for our own. matched: set as they were. reshaped: set after a change of the
    number of input channels, or of the grid of positions. fresh: drawn at random, since the file has them not or for
    other classes. unused: names of the file's tensors that the network has no place for. lost: those of the fresh that
    neither other classes nor other pictures explain. alike: other architectures of the file's size, if something is
    lost or unused.
    """

    program: str
    matched: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    alike: list[str] = field(default_factory=list)
    scaling: str = ""

    @property
    def is_whole(self):
        """Whether all of the file that counts is in the network, and the network scales its input as it expects."""
        return not (self.unused or self.lost or self.scaling)

    def lines(self):
        """The report as text, a fact a line."""
        yield f"weights: {len(self.matched)} tensors as they were, matched by the names of {self.program}"
        for word, names in (("reshaped", self.reshaped), ("fresh", self.fresh), ("not used", self.unused)):
            if names:
                yield f"  {len(names)} {word}: {', '.join(names[:6])}{', …' if len(names) > 6 else ''}"
        if self.alike:
            yield f"  {' and '.join(self.alike)} would have as many parameters as this file"
        if self.scaling:
            yield f"  {self.scaling}"


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
        known = " or ".join(["kcnn", *(found.program for found in candidates[1:])])
        raise UserError(f"{path} holds no weights of {variant.name} under the names of {known}; {way_out(tensors)}")
    return candidates[scores.index(max(scores))]


def load(model, variant, tensors, layout):
    """Set the weights of `model`, built from `variant`, from `tensors`: our own if `layout` is None; returns `Loaded`.

    Raises `UserError` where nothing fits, and where the tensors are those of a network of another size.
    """
    report, used, redrawn = Loaded(layout.program if layout else "kcnn"), {}, set()
    layers = {layer.name: layer for layer in model.layers}
    first = first_kernel(model)
    for path, variable in weight_variables(model).items():
        layer = layers[path.split("/")[0]]
        name = _name(path, layer, variant, tensors, layout)
        drawn = name is None or layer in redrawn  # a bias is of no use without its kernel
        kind = "fresh" if drawn else _set(variable, tensors[name], layer, path == first, layout)
        if kind == "fresh" and path.endswith("/kernel"):
            redrawn.add(layer)
        if name is not None:
            used[name] = path
        getattr(report, kind).append(path)
    report.unused = sorted(name for name in tensors if name not in used and not name.endswith(IGNORED))
    if not report.matched:
        raise UserError(f"no tensor fits {variant.name}; {way_out(tensors)}")
    body = depths(model)
    report.lost = [path for path in report.fresh if body[path.split("/")[0]] and path != first]
    if report.lost or report.unused:
        report.alike = [name for name in of_size(tensors) if name != variant.name]
    _refuse_another_size(body, variant, report, tensors, used)
    return report


def _refuse_another_size(body, variant, report, tensors, used):
    """Kernels may stay fresh in the classifier and, for other pictures, in the first layer; no block may be left over.

    body: {layer: its depth}, 0 in the classifier. used: {name in the file: path of our variable}.
    """
    fresh = [path for path in report.lost if path.endswith("/kernel")]
    kernels = {name: path for name, path in used.items() if path.endswith("/kernel") and path not in report.fresh}
    alike = {_numbers(name)[0] for name, path in kernels.items() if body[path.split("/")[0]]}
    blocks = {_numbers(name)[1] for name in used}
    over = [name for name in report.unused if tensors[name].ndim > 1]
    over = [name for name in over if _numbers(name)[0] in alike and _numbers(name)[1] not in blocks]
    told = ((fresh, "kernels find no tensor of their shape"), (over, "kernels of the file have no place"))
    if fresh or over:
        found = [
            f"{len(names)} {what} ({', '.join(names[:3])}{', …' * (len(names) > 3)})" for names, what in told if names
        ]
        raise UserError(
            f"model.weights are those of another network than {variant.name}: {' and '.join(found)}; "
            f"{way_out(tensors, ' and the overrides')}"
        )


def _numbers(name):
    """A tensor's name without its numbers, which like blocks share; and the first two of them, which tell blocks apart.

    A letter may follow, as in "block2c": it is a number too.
    """
    return re.sub(r"\d+[a-z]?", "#", name), tuple(re.findall(r"\d+[a-z]?", name)[:2])


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
    if tensor.dtype.kind != "f" or not tensor.size:
        return "fresh"
    if layout is not None:
        tensor = as_ours(tensor, layer, variable.path.rsplit("/", 1)[1], layout.program)
    if tensor is None:
        return "fresh"
    if is_first and layout is not None and layout.scaling.bgr and tensor.shape[-2:-1] == (3,):
        tensor = tensor[..., ::-1, :]
    if is_first and tensor.ndim == len(shape) and tensor.shape[-2] != shape[-2]:
        tensor, kind = other_channels(tensor, shape[-2]), "reshaped"
    if tensor.shape != shape and _sides(tensor.shape) == _sides(shape):
        tensor = tensor.reshape(shape)  # (1, D, 1, 1) for (D,) and the like
    if tensor.shape != shape and variable.path.endswith("/positions") and tensor.ndim == len(shape):
        tensor, kind = other_grid(tensor, layer.grid), "reshaped"
    if tensor is None or tensor.shape != shape:
        return "fresh"
    variable.assign(tensor)
    return kind


def _sides(shape):
    return [side for side in shape if side != 1]


def first_kernel(model):
    """The path of the kernel that sees the picture's channels; None if there is none."""
    kernels = (path for path in weight_variables(model) if path.endswith("/kernel"))
    return next(kernels, None)
