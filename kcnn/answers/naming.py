"""What an answer calls its picture, and what it says where there is none."""

from pathlib import Path

from kcnn import data


def name_of(item):
    """The path of a picture, or the kind of what stands for one."""
    return str(item) if isinstance(item, (str, Path)) else type(item).__name__


def why_unread(item):
    """Why there is no answer for `item`."""
    missing = isinstance(item, (str, Path)) and not Path(item).exists()
    if not missing and data.is_nifti(item):
        return "is a NIfTI volume, and this model sees pictures"
    return "no such file" if missing else "cannot be read as a picture"


def stems_of(items):
    """What the files of each item's answer are called after: its file's name, numbered where that is taken."""
    stems = [Path(data.without_suffix(item)).name if isinstance(item, (str, Path)) else "picture" for item in items]
    counts, found = {}, {}
    for stem in stems:
        name = stem
        while name in found:
            counts[stem] = count = counts.get(stem, 1) + 1
            name = f"{stem}-{count}"
        found[name] = stem
    return list(found)
