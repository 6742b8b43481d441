"""data: from an address to batches. sources -> checks -> samples -> stream."""

from kcnn.data.byte_cache import cached
from kcnn.data.checks import check
from kcnn.data.facts import Facts, facts_of, framing_of
from kcnn.data.folder import picture_files
from kcnn.data.frames import choose_frame, sizes_of, statistics
from kcnn.data.mask_values import mask_of
from kcnn.data.nifti import is_nifti, scan_of, without_suffix
from kcnn.data.object_frames import in_pictures
from kcnn.data.objects import Objects
from kcnn.data.operations import OPERATIONS
from kcnn.data.policies import POLICIES, policy_of
from kcnn.data.reading import read, read_sized
from kcnn.data.rendering import fit_to_frame, frames_from_bytes, sized_frames_from_bytes
from kcnn.data.samples import Arrays, DataSet, Encoded, Files, Samples
from kcnn.data.sources import SOURCES, load
from kcnn.data.stream import batches
from kcnn.data.volumes import voxels_of, write_mask_on
from kcnn.data.whole import pictures_as_png, read_whole, resized, working_size

__all__ = [
    "OPERATIONS",
    "POLICIES",
    "SOURCES",
    "Arrays",
    "DataSet",
    "Encoded",
    "Facts",
    "Files",
    "Objects",
    "Samples",
    "batches",
    "cached",
    "check",
    "choose_frame",
    "facts_of",
    "fit_to_frame",
    "frames_from_bytes",
    "framing_of",
    "in_pictures",
    "is_nifti",
    "load",
    "mask_of",
    "picture_files",
    "pictures_as_png",
    "policy_of",
    "read",
    "read_sized",
    "read_whole",
    "resized",
    "scan_of",
    "sized_frames_from_bytes",
    "sizes_of",
    "statistics",
    "voxels_of",
    "without_suffix",
    "working_size",
    "write_mask_on",
]
