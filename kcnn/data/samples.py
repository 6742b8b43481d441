"""What every source of data becomes: named splits of pictures, labels and weights, in a fixed order.

Pictures stay in the cheapest form they came in (file names, encoded bytes or one array); they are decoded
only by the stream, and only as far as the frame needs.
"""

import hashlib
import os
from dataclasses import dataclass, field, replace

import numpy as np

from kcnn.data.mask_values import count_pixels


@dataclass(frozen=True, eq=False)
class Files:
    """Pictures in files: `paths` (N,) of str; `headers` int32 (N, 5) as the check read them, or None."""

    paths: np.ndarray
    headers: np.ndarray | None = None

    def __len__(self):
        return len(self.paths)

    def take(self, indices):
        return Files(self.paths[indices], None if self.headers is None else self.headers[indices])

    def digest(self):
        """Names and sizes: contents are not read, so that large folders cost little."""
        for path in self.paths:
            size = os.path.getsize(path) if os.path.isfile(path) else -1
            yield f"{os.path.basename(path)}\0{size}\n".encode("utf-8", "surrogateescape")


@dataclass(frozen=True, eq=False)
class Encoded:
    """Pictures as encoded bytes in memory: `items` (M,) of bytes, or a string tensor; `headers` as those of Files.

    `places` (N,): which of `items` they are, None: all. What is taken of a tensor shares it, and copies no picture.
    """

    items: np.ndarray
    headers: np.ndarray | None = None
    places: np.ndarray | None = None

    def __len__(self):
        return len(self.items if self.places is None else self.places)

    def __getitem__(self, i):
        """The bytes of picture `i` (0 to N - 1); raises IndexError beyond, so that one can iterate."""
        item = self.items[i if self.places is None else int(self.places[i])]
        return item.numpy() if hasattr(item, "numpy") else item

    def take(self, indices):
        headers = None if self.headers is None else self.headers[indices]
        if self.places is None:
            return Encoded(self.items[indices], headers)
        return Encoded(self.items, headers, self.places[indices])

    def digest(self):
        for item in self:
            yield len(item).to_bytes(8, "little")
            yield item


@dataclass(frozen=True, eq=False)
class Arrays:
    """Pictures of one size: `values` (N, H, W, C) uint8, or float32 data of any rank, (N, ..., C)."""

    values: np.ndarray

    def __len__(self):
        return len(self.values)

    def take(self, indices):
        return Arrays(self.values[indices])

    def digest(self):
        yield f"{self.values.dtype}{self.values.shape}".encode()
        yield from (np.ascontiguousarray(value).data for value in np.array_split(self.values, 1 + len(self) // 4096))


@dataclass(frozen=True, eq=False)
class Samples:
    """One split.

    `images` is Files, Encoded or Arrays; `labels` int32 (N,) or float32 (N, K) (several labels, or soft ones);
    `weights` float32 (N,) or None; `names` (N,) str, by which a picture is known to the user; `columns` what else a
    table says of the pictures, name -> (N,) str.

    `masks`: class numbers on the pictures' places and `kcnn.masks.IGNORE`, as Encoded (grey PNGs) or Arrays (uint8
    (N, *spatial)); `labels` then says which classes occur, and `pixels`, if known, is int64 (N, K): how often.
    """

    images: Files | Encoded | Arrays
    labels: np.ndarray
    names: np.ndarray
    weights: np.ndarray | None = None
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    masks: Encoded | Arrays | None = None
    pixels: np.ndarray | None = None

    def __post_init__(self):
        some = [part for part in (self.weights, self.masks, self.pixels) if part is not None]
        lengths = {len(part) for part in (self.images, self.labels, self.names, *some, *self.columns.values())}
        if len(lengths) != 1:
            raise ValueError(f"images, labels, names, weights, masks and columns differ in length: {sorted(lengths)}")

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
        images, masks = (None if part is None else part.take(indices) for part in (self.images, self.masks))
        return Samples(images, self.labels[indices], self.names[indices], weights, columns, masks, pixels)

    def counted(self, num_classes):
        """int64 (N, K): `pixels`, or what the masks hold where it is not known."""
        return count_pixels(self.masks, num_classes) if self.pixels is None else self.pixels

    def digest(self):
        yield "\n".join(map(str, self.names)).encode("utf-8", "surrogateescape")
        yield np.ascontiguousarray(self.labels).data
        if self.weights is not None:
            yield np.ascontiguousarray(self.weights).data
        yield from self.images.digest()
        if self.masks is not None:
            yield from self.masks.digest()


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
        """What is to be learned: "masks" where pictures have them, else "labels"."""
        return "masks" if any(samples.masks is not None for samples in self.splits.values()) else "labels"

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


def as_strings(items):
    """A (N,) array of Python objects (str or bytes) that NumPy neither pads nor cuts."""
    array = np.empty(len(items), object)
    array[:] = items
    return array


def numbered(count, what="index"):
    """Names for pictures that have none: "index 0", "index 1", ..."""
    return as_strings([f"{what} {i}" for i in range(count)])
