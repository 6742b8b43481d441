"""What an answer calls its picture, and what it says where there is none."""

from pathlib import Path


def name_of(item):
    """The path of a picture, or the kind of what stands for one."""
    return str(item) if isinstance(item, (str, Path)) else type(item).__name__


def why_unread(item):
    """Why there is no answer for `item`."""
    missing = isinstance(item, (str, Path)) and not Path(item).exists()
    return "no such file" if missing else "cannot be read as a picture"
