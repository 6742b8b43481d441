"""Sources: from an address to a data set. Each kind of address is one row of SOURCES, tried in order."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kcnn import archives
from kcnn.data import (
    arrays,
    builtin,
    coco,
    coco_files,
    coco_objects,
    folder,
    mask_folder,
    quarantine,
    table,
    table_objects,
    tfds,
    voc_folder,
    volume_folder,
    yolo_folder,
)
from kcnn.data import scenes as scenes  # it registers a built-in data set, and so does the next
from kcnn.data import shells as shells
from kcnn.data.labels import translated
from kcnn.data.renumbering import renumbered
from kcnn.data.splits import divide
from kcnn.errors import UserError, unknown_name
from kcnn.recipe import word_of
from kcnn.registry import Registry

SOURCES = Registry("kind of data")
FOLDERS = ("yolo", "masks", "volumes", "coco", "voc", "folder")  # kinds that a folder may be, in the order of SOURCES


@dataclass(frozen=True)
class Source:
    """One kind of address.

    `accepts(address)` says whether it is this kind's; `read(address, options, seed)` returns a DataSet with the
    splits that the data itself brings; `example` shows an address. `objects(address, options, seed, outlines)`, of
    kinds that can, returns one whose samples have objects.
    """

    accepts: Callable
    read: Callable
    example: str
    objects: Callable | None = None

    def with_objects(self, address, options, seed, outlines):
        """The data with objects where this kind has them, as it is where not."""
        if self.objects is None:
            return self.read(address, options, seed)
        return self.objects(address, options, seed, outlines)


def _prefixed(prefix):
    return lambda address: isinstance(address, str) and address.startswith(prefix)


def _file(*suffixes):
    return lambda address: _is_path(address) and Path(address).suffix.lower() in suffixes and not os.path.isdir(address)


def _archive(address):
    return _is_path(address) and archives.is_archive(address)


def _folder_source(address, wanted=None):
    """The kind of a folder that came out of an archive."""
    return _source_of(address, wanted, [SOURCES[kind] for kind in FOLDERS])


def _source_of(address, wanted, kinds):
    """The first of `kinds` that accepts an address; where objects are `wanted`, the first that has some, if any."""
    fitting = [kind for kind in kinds if kind.accepts(address)]
    with_objects = [kind for kind in fitting if kind.objects] if wanted else []
    return next(iter([*with_objects, *fitting]), None)


def _is_path(address):
    return isinstance(address, str | os.PathLike)


SOURCES.add("builtin", Source(_prefixed("builtin:"), builtin.read, "builtin:digits", builtin.objects))
SOURCES.add("tfds", Source(_prefixed("tfds:"), tfds.read, "tfds:NAME", tfds.objects))
SOURCES.add("csv", Source(_file(".csv", ".tsv"), table.read, "a CSV file", table_objects.read))
SOURCES.add("npz", Source(_file(".npz"), arrays.read_npz, "an .npz file"))
SOURCES.add(
    "archive",
    Source(
        _archive,
        lambda a, *more: _folder_source(a := archives.unpacked(a)).read(a, *more),
        "a .zip or .tar",
        lambda a, *more: _folder_source(a := archives.unpacked(a), "boxes").with_objects(a, *more),
    ),
)
SOURCES.add("yolo", Source(lambda a: _is_path(a) and yolo_folder.accepts(a), yolo_folder.read, "images/ and labels/",
                           yolo_folder.read))  # fmt: skip
SOURCES.add("masks", Source(lambda a: _is_path(a) and mask_folder.accepts(a), mask_folder.read, "images/ and masks/"))
SOURCES.add("volumes", Source(lambda a: _is_path(a) and volume_folder.accepts(a), volume_folder.read, "NIfTI volumes"))
SOURCES.add(
    "coco", Source(lambda a: _is_path(a) and coco_files.accepts(a), coco.read, "a COCO .json", coco_objects.read)
)
SOURCES.add(
    "voc",
    Source(lambda a: _is_path(a) and voc_folder.accepts(a), voc_folder.read, "Annotations/*.xml", voc_folder.read),
)
SOURCES.add("folder", Source(lambda a: _is_path(a) and os.path.isdir(a), folder.read, "a folder"))
SOURCES.add("tf.data", Source(arrays.is_tf_data, arrays.read_tf_data, "a tf.data.Dataset"))
SOURCES.add("arrays", Source(arrays.is_arrays, arrays.read_arrays, "(x, y) or {'train': (x, y)}"))


def load(address, options, seed=0, class_names=None, wanted=None):
    """The data at `address`, as a DataSet with at least the split "train".

    With the `class_names` of a run, data to score by it: any of its classes, splits as they are, "train" or not.

    `address`: a folder with one sub-folder a class (inside train/val/test/... folders or not), or with pictures and
    masks, or with NIfTI volumes and masks; a COCO .json, a .csv or .npz file, "tfds:NAME", "builtin:digits", arrays
    (x, y), {"train": (x, y), ...} or a tf.data.Dataset of (image, label); labels may be masks.
    `wanted`: None; "boxes", for objects where the data has some; or "outlines", for these with their outlines.
    `options`: recipe.Data. What data.quarantine names is left out; then what the data does not bring (validation,
    test, limit) is held out by `seed`, class by class. Pictures are not opened here: `check` does that. Raises
    UserError where nothing can be recognised.
    """
    if isinstance(address, str):
        address = address.strip()
    source = _source_of(address, wanted, SOURCES.values())
    if source is None:
        raise _unknown(address)
    if options.group_column and source is not SOURCES["csv"]:
        raise UserError(f"data.group_column is {options.group_column!r}, but only a CSV file has columns; leave it out")
    if wanted:
        dataset = source.with_objects(address, options, seed, wanted == "outlines")
    else:
        dataset = source.read(address, options, seed)
    if options.quarantine:
        dataset = quarantine.leave_out(dataset, options.quarantine)
    if class_names is not None:
        return replace(_of_classes(dataset, class_names, address), name=_named(address)).stamped()
    if "train" not in dataset.splits or not len(dataset.splits["train"]):
        raise UserError(
            f"data {_shown(address)} has no training pictures: its splits are {', '.join(dataset.splits) or 'none'}; "
            "call one 'train'"
        )
    return replace(dataset, splits=divide(dataset.splits, options, seed), name=_named(address)).stamped()


def _of_classes(dataset, class_names, address):
    """`dataset` with its labels, and masks, by the names of a run's classes."""
    try:
        splits = {
            split: renumbered(
                replace(samples, labels=translated(samples.labels, dataset.class_names, class_names)),
                dataset.class_names,
                class_names,
            )
            for split, samples in dataset.splits.items()
        }
    except UserError as error:
        raise UserError(f"the classes of {_shown(address)} are not the run's: {error}") from None
    return replace(dataset, splits=splits, class_names=tuple(class_names))


def _named(address):
    return word_of(os.fspath(address)) if _is_path(address) else "data"


def _unknown(address):
    if not _is_path(address):
        examples = "; ".join(row.example for row in SOURCES.values())
        return UserError(f"data of type {type(address).__name__} is not understood; give one of: {examples}")
    path = Path(address)
    if os.path.isfile(path):
        kinds = ".zip, .tar, .csv, .npz or .json"
        return UserError(f"data {_shown(address)} is a {path.suffix or 'nameless'} file; give a folder, {kinds}")
    prefix = str(address).partition(":")[0]
    if ":" in str(address) and prefix.isalpha() and len(prefix) > 1:
        return unknown_name("kind of data address", prefix + ":", ["tfds:", "builtin:"])
    if not path.suffix and os.path.isdir(path.parent):
        near = sorted(entry.name for entry in path.parent.iterdir() if entry.is_dir())
        hint = str(unknown_name("folder", path.name, near)).partition(": ")[2] if len(near) < 200 else ""
        if hint.startswith("did"):
            return UserError(f"no such folder: {path}; {hint}")
    return UserError(f"no such {'file' if path.suffix else 'folder'}: {path} (looked from {Path.cwd()})")


def _shown(address):
    return str(address) if _is_path(address) else type(address).__name__
