"""Where the dashboard reads and writes: below the folders that it was started with, and kcnn's cache. Nowhere else."""

import hashlib
import os
import re
import shutil
from pathlib import Path

import streamlit as st
from PIL import Image

import kcnn
from kcnn import Recipe, UserError
from kcnn.recipe import fields, word_of
from kcnn.resources import RUNS, cache

ADDRESS = re.compile(r"builtin:[\w-]+|tfds:\w+(/[\w.-]+)?(:[\w.]+)?")
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
MEBIBYTE = 2**20
PICTURE_BYTES, ARCHIVE_BYTES = 20 * MEBIBYTE, 200 * MEBIBYTE
ROOM = 10  # times its size that must be free for an archive
SCRATCH = 40  # results that are kept


def runs():
    """The folder of run folders."""
    return Path(os.environ.get("KCNN_RUNS") or RUNS)


@st.cache_resource(show_spinner=False)
def _trainings(folder):
    return kcnn.Trainings(folder)


def trainings():
    """The trainings below that folder."""
    return _trainings(str(runs()))


def roots():
    """All folders that may be read."""
    data = os.environ.get("KCNN_APP_DATA", ".").split(os.pathsep)
    return [Path(folder).resolve() for folder in (*data, runs(), cache("uploads"), cache("checks"))]


def checked(address):
    """The address of data or weights as given, if it may be read; raises `UserError` otherwise."""
    inside = any(Path(address).resolve().is_relative_to(root) for root in roots()) if "\0" not in address else False
    if not (inside or ADDRESS.fullmatch(address) or address == "imagenet"):
        shown = ", ".join(str(root) for root in roots()[: -3 or None])
        raise UserError(f"{address} is not below {shown}; start the dashboard with --data FOLDER to use another folder")
    return address


def checked_recipe(recipe):
    """The recipe, if all that it names on the disk may be read."""
    for section, key in (path.split(".") for path in _places()):
        if (address := getattr(getattr(recipe, section), key)) is not None:
            checked(address)
    return recipe


def _places():
    return [path for path, spec in fields() if spec.get("place")]


def picture(upload):
    """The bytes of an uploaded picture; raises `UserError` if it is too large or none, whatever its name says."""
    if upload.size > PICTURE_BYTES:
        raise UserError(f"{upload.name} has {upload.size:,} bytes; a picture may have {PICTURE_BYTES:,}")
    try:
        with Image.open(upload, formats=FORMATS) as header:
            width, height = header.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise UserError(f"{upload.name} is no picture; give JPEG, PNG, GIF, BMP or WebP") from None
    if width * height > Recipe().data.max_pixels:
        raise UserError(f"{upload.name} has {width}×{height} pixels; at most {Recipe().data.max_pixels:,} are read")
    return upload.getvalue()


def kept_archive(upload):
    """The address of an uploaded archive, kept under a name of our own; what is in it is checked when it is read."""
    if upload.size > ARCHIVE_BYTES:
        raise UserError(f"{upload.name} has {upload.size:,} bytes; an archive may have {ARCHIVE_BYTES:,}")
    content = upload.getvalue()
    kind = ".zip" if content[:2] == b"PK" else ".tar"
    path = cache("uploads") / hashlib.sha256(content).hexdigest()[:24] / (word_of(Path(upload.name).name) + kind)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < ROOM * len(content):
            raise UserError("the disk is too full to keep and unpack an archive of that size; free space")
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"the archive cannot be kept: {error.strerror}") from None
    return str(path)


def scratch(kind, *what):
    """A folder in the cache for what is made of `what`; of each `kind` the newest are kept."""
    folder = cache("checks") / kind
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.iterdir(), key=lambda entry: -entry.stat().st_mtime)[SCRATCH:]:
        shutil.rmtree(old, ignore_errors=True)
    made = folder / hashlib.sha256(repr(what).encode()).hexdigest()[:24]
    made.mkdir(exist_ok=True)
    return made
