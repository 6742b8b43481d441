"""Volumes and masks in NIfTI files: read in one orientation, whichever way they are stored, and masks laid on them."""

import gzip

import numpy as np

from kcnn.data.nifti import nibabel_here, opened, tried
from kcnn.disk import write_atomically
from kcnn.masks import IGNORE

CANONICAL = ((0, 1), (1, 1), (2, 1))  # as nibabel writes orientations


def voxels_of(scan):
    """The numbers of a `Scan` as float32 (D, H, W, C), scaled as its header says, or the reason why they cannot be had.

    D runs from the feet to the head, H from back to front and W from left to right, as far as the header knows.
    """
    return tried(_voxels, nibabel_here(), scan)


def classes_of(scan):
    """The class numbers of a `Scan` that is a mask, uint8 (D, H, W), 255 also for -1; or why it can have none."""
    if scan.channels != 1:
        return f"has {scan.channels} channels; a mask has one, of class numbers"
    values = voxels_of(scan)
    if isinstance(values, str):
        return values
    values = values[..., 0]
    if (values != np.floor(values)).any():
        return "holds fractions; save it as class numbers"
    low, high = values.min(), values.max()
    if low < -1 or high > IGNORE:
        return f"has the number {low if low < -1 else high:.0f}; 0 to 254 are read, and 255 is not judged"
    return np.where(values < 0, IGNORE, values).astype(np.uint8)


def lies_on(mask, scan):
    """True if two `Scan`s of one size are at the same place in space, up to half of a voxel's shortest side."""
    depth, height, width = (side - 1 for side in scan.size)
    corners = [(x, y, z, 1) for x in (0, width) for y in (0, height) for z in (0, depth)]
    apart = np.linalg.norm((np.array(corners) @ (mask.affine - scan.affine).T)[:, :3], axis=1).max()
    return bool(apart <= np.linalg.norm(scan.affine[:3, :3], axis=0).min() / 2)


def write_mask_on(scan, mask, path):
    """Write a `mask` uint8 (D, H, W) as a .nii.gz file that lies on the file of `scan`: its axes, shape and affine."""
    nibabel = nibabel_here()
    back = nibabel.orientations.ornt_transform(np.array(CANONICAL), scan.turns)
    stored = nibabel.orientations.apply_orientation(mask.transpose(2, 1, 0), back)
    header = scan.header.copy()
    header.set_data_dtype(np.uint8)
    header.set_slope_inter(1, 0)
    header.set_intent("none")
    header["cal_min"] = header["cal_max"] = 0
    kind = nibabel.Nifti2Image if isinstance(header, nibabel.Nifti2Header) else nibabel.Nifti1Image
    content = kind(np.ascontiguousarray(stored), None, header).to_bytes()
    write_atomically(path, gzip.compress(content, compresslevel=6, mtime=0))


def _voxels(nibabel, scan):
    header = scan.header
    shape, (slope, inter) = header.get_data_shape(), header.get_slope_inter()
    with opened(scan.path) as file:
        stored = nibabel.volumeutils.array_from_file(
            shape, header.get_data_dtype(), file, header.get_data_offset(), mmap=False
        )
        file.read(1)  # at the end of a gzip file its checksum is looked at
    with np.errstate(all="ignore"):
        values = stored.astype(np.float32)
        if slope not in (None, 1):
            values *= np.float32(slope)
        if inter:
            values += np.float32(inter)
    del stored
    if not np.isfinite(values).all():
        return "holds values that are not finite numbers"
    turned = nibabel.apply_orientation(values.reshape(*shape[:3], scan.channels, order="F"), scan.turns)
    return np.ascontiguousarray(turned.transpose(2, 1, 0, 3))
