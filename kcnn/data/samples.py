"""What every source of data becomes: named splits of pictures, labels and weights, in a fixed order."""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from kcnn.data.contents import Arrays, Encoded, Files, as_strings
from kcnn.data.mask_values import count_pixels
from kcnn.data.objects import Objects


@dataclass(frozen=True, eq=False)
class Samples:
    """One split.

    `images` is Files, Encoded or Arrays; `labels` int32 (N,) or float32 (N, K) (several labels, or soft ones);
    `weights` float32 (N,) or None; `names` (N,) str, by which a picture is known to the user; `columns` what else a
    table says of the pictures, name -> (N,) str.

    `masks`: class numbers on the pictures' places and `kcnn.masks.IGNORE`, as Encoded (grey PNGs) or Arrays (uint8
    (N, *spatial)); `pixels`, if known, is int64 (N, K): how often each class occurs. `objects`: boxes with classes. Of
    samples with masks or objects `labels` float32 (N, K) says which classes occur.
    """

    images: Files | Encoded | Arrays
    labels: np.ndarray
    names: np.ndarray
    weights: np.ndarray | None = None
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    masks: Encoded | Arrays | None = None
    pixels: np.ndarray | None = None
    objects: Objects | None = None

    def __post_init__(self):
        some = [part for part in (self.weights, self.masks, self.pixels, self.objects) if part is not None]
        lengths = {len(part) for part in (self.images, self.labels, self.names, *some, *self.columns.values())}
        if len(lengths) != 1:
            raise ValueError(f"the parts of samples differ in length: {sorted(lengths)}")

    def __len__(self):
        return len(self.labels)

    @property
    def is_float(self):
        """True for float data, which is standardised by its own statistics and never rounded."""
        return isinstance(self.images, Arrays) and self.images.values.dtype != np.uint8

    def take(self, indices):
        """The samples at `indices` (integers or a mask), in that order."""
        weights, pixels = (None if part is None else part[indices] for part in (self.weights, self.pixels))
        columns = {name: values[indices] for name, values in self.columns.items()}
        images, masks, objects = (
            None if part is None else part.take(indices) for part in (self.images, self.masks, self.objects)
        )
        return Samples(images, self.labels[indices], self.names[indices], weights, columns, masks, pixels, objects)

    def counted(self, num_classes):
        """int64 (N, K): `pixels`, or what the masks hold where it is not known."""
        return count_pixels(self.masks, num_classes) if self.pixels is None else self.pixels

    def digest(self):
        yield "\n".join(map(str, self.names)).encode("utf-8", "surrogateescape")
        yield np.ascontiguousarray(self.labels).data
        if self.weights is not None:
            yield np.ascontiguousarray(self.weights).data
        yield from self.images.digest()
        for part in (self.masks, self.objects):
            if part is not None:
                yield from part.digest()


@dataclass(frozen=True, eq=False)
class DataSet:
    """What was found at an address.

    `splits` names ("train", "val", "test", any other) -> Samples; `class_names` in the order of the labels;
    `format` says what was recognised and `notes` what the user should know; `set_aside` is a list of
    (picture's name, reason); `empty_classes` names class folders without a picture; `fingerprint` is a
    SHA-256 over all splits; `name` a word for folders and titles.
    """

    splits: dict[str, Samples]
    class_names: tuple[str, ...]
    multi_label: bool
    format: str
    notes: list[str] = field(default_factory=list)
    set_aside: list[tuple[str, str]] = field(default_factory=list)
    empty_classes: tuple[str, ...] = ()
    fingerprint: str = ""
    name: str = "data"

    @property
    def num_classes(self):
        return len(self.class_names)

    @property
    def task(self):
        """What is to be learned: "boxes" where pictures have objects, "masks" where they have those, else "labels"."""
        for task, part in (("boxes", "objects"), ("masks", "masks")):
            if any(getattr(samples, part) is not None for samples in self.splits.values()):
                return task
        return "labels"

    def class_pixels(self, split="train"):
        """How many places of a split's masks each class has: a tuple of K whole numbers, empty without masks."""
        samples = self.splits[split]
        if samples.masks is None:
            return ()
        return tuple(samples.counted(self.num_classes).sum(0).tolist())

    def class_counts(self, split="train"):
        """In how many pictures of a split each class occurs: K whole numbers in a tuple (soft labels are rounded)."""
        labels = self.splits[split].labels
        if labels.ndim == 1:
            return tuple(np.bincount(labels, minlength=self.num_classes).tolist())
        return tuple(np.rint(labels.sum(0)).astype(int).tolist())

    def stamped(self):
        """The same data set with its fingerprint computed."""
        digest = hashlib.sha256("\n".join(self.class_names).encode())
        for name, samples in sorted(self.splits.items()):
            digest.update(f"\0{name}\0{len(samples)}\0".encode())
            for part in samples.digest():
                digest.update(part)
        return replace(self, fingerprint=digest.hexdigest())


def numbered(count, what="index"):
    """Names for pictures that have none: "index 0", "index 1", ..."""
    return as_strings([f"{what} {i}" for i in range(count)])
