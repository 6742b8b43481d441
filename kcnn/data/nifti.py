"""NIfTI files (.nii, .nii.gz): their names and headers.

Headers are not trusted: what one claims is held against the size of its file and the free memory before a voxel is
read, and extensions beside it are passed over.
"""

import gzip
import logging
import os
import zlib
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from kcnn.errors import UserError
from kcnn.memory import free_memory

SUFFIXES = (".nii", ".nii.gz")
HEADER = 540  # bytes of the longer of the two kinds of header
GROWTH = 1032  # bytes that one byte of a gzip file can become at most
COPIES = 2  # of the stored numbers, while they are read
SILENT = logging.Logger("nifti")
SILENT.disabled = True


class Scan(NamedTuple):
    """A NIfTI file whose header was read: `size` (D, H, W) and `channels` as it is seen, `header` of nibabel.

    `turns`: nibabel's orientation (3, 2), from the stored axes to the canonical ones; `affine` (4, 4) of the latter.
    """

    path: str
    header: Any
    size: tuple[int, int, int]
    channels: int
    turns: np.ndarray
    affine: np.ndarray


def is_nifti(path):
    """True for the path (str or Path) of a file that is called a NIfTI file."""
    return isinstance(path, str | os.PathLike) and os.fspath(path).lower().endswith(SUFFIXES)


def without_suffix(path):
    """`path` (str) without its last suffix, or without .nii.gz."""
    path = os.fspath(path)
    return path[: -len(SUFFIXES[1])] if path.lower().endswith(SUFFIXES[1]) else os.path.splitext(path)[0]


def scan_of(path):
    """The `Scan` at `path`, or a str: the reason why it cannot be one. UserError where nibabel is not installed."""
    return tried(_understood, nibabel_here(), os.fspath(path))


def nibabel_here():
    """The package nibabel, which is imported where it is needed; UserError where it is not installed."""
    try:
        import nibabel
    except ImportError:
        raise UserError("NIfTI files (.nii, .nii.gz) need nibabel: pip install 'kcnn[volumes]'") from None
    return nibabel


def tried(read, nibabel, what):
    """What `read(nibabel, what)` gives, or the reason why it fails in a few words."""
    try:
        return read(nibabel, what)
    except FileNotFoundError:
        return "cannot be read: no such file"
    except (EOFError, zlib.error):
        return "cannot be read: it is damaged or cut off"
    except OSError as error:
        return f"cannot be read: {error.strerror or 'it is damaged or cut off'}"
    except MemoryError:
        return "does not fit into memory"
    except Exception as error:  # nibabel raises anything on odd headers
        first = (str(error).splitlines() or [""])[0][:100]
        return f"cannot be read: {first or type(error).__name__}"


@contextmanager
def opened(path):
    """The file `path`, decompressed if its first bytes say so."""
    with open(path, "rb") as file:
        packed = _is_packed(file)
        with gzip.GzipFile(fileobj=file) if packed else file as content:
            yield content


def _is_packed(file):
    magic = file.read(2)
    file.seek(0)
    return magic == b"\x1f\x8b"


def _understood(nibabel, path):
    """The `Scan` at `path`, or the reason against it; of its file only the header is read."""
    with opened(path) as file:
        block = file.read(HEADER)
    kinds = (nibabel.Nifti1Header, nibabel.Nifti2Header)
    kind = next((kind for kind in kinds if kind.may_contain_header(block)), None)
    if kind is None:
        return "cannot be read: it is empty" if not block else "cannot be read: it is no NIfTI file"
    header = kind(block[: kind.sizeof_hdr], check=False)
    header.check_fix(logger=SILENT)
    shape, dtype = tuple(map(int, header.get_data_shape())), header.get_data_dtype()
    shown = "x".join(map(str, shape))
    if len(shape) in (3, 4) and min(shape) < 1:
        return f"has no voxels ({shown})"
    if len(shape) not in (3, 4):
        return f"has axes of {shown}; a volume has 3, or 4 with channels"
    if dtype.kind not in "iuf":
        return f"holds {'complex numbers' if dtype.kind == 'c' else 'colours'}; save it as plain numbers"
    if reason := _too_large(path, shape, dtype, header.get_data_offset()):
        return reason
    affine = header.get_best_affine()
    turns = nibabel.io_orientation(affine) if np.isfinite(affine).all() else np.array(np.nan)
    if not np.isfinite(turns).all():
        return "has an affine that does not say where its axes point"
    affine = affine @ nibabel.orientations.inv_ornt_aff(turns, shape[:3])
    size = tuple(shape[i] for i in np.argsort(turns[:, 0])[::-1])
    return Scan(path, header, size, shape[3] if len(shape) == 4 else 1, turns, affine)


def _too_large(path, shape, dtype, offset):
    """Why numbers of this `shape` cannot be in the file, or in memory; "" where they can."""
    voxels = int(np.prod(shape, dtype=object))
    stated, shown = offset + voxels * dtype.itemsize, "x".join(map(str, shape))
    with open(path, "rb") as file:
        most = os.fstat(file.fileno()).st_size * (GROWTH if _is_packed(file) else 1)
    if offset < 0 or stated > most:
        return f"claims {shown} voxels, {stated:,} bytes, which its file cannot hold: it is damaged or cut off"
    needed = voxels * (COPIES * dtype.itemsize + 8)
    if needed > (free := free_memory()):
        return f"has {shown} voxels, which take {needed:,} bytes of memory; {free:,} are free"
    return ""
