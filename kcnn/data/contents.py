"""What pictures and masks are stored in: names of files, encoded bytes, or one array.

They stay in the cheapest form they came in; they are decoded only by the stream, and only as far as the frame needs.
"""

import os
from dataclasses import dataclass

import numpy as np


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


def as_strings(items):
    """A (N,) array of Python objects (str or bytes) that NumPy neither pads nor cuts."""
    array = np.empty(len(items), object)
    array[:] = items
    return array
