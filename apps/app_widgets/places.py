"""Where the dashboard reads and writes: below the folders that it was started with, and kcnn's cache. Nowhere else."""

import hashlib
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

import streamlit as st

import kcnn
from kcnn import UserError
from kcnn.recipe import fields
from kcnn.resources import RUNS, cache

ADDRESS = re.compile(r"builtin:[\w-]+|tfds:[A-Za-z]\w*(/\w[\w.+-]*)?(:[\d*]+\.[\d*]+\.[\d*]+)?")
DATA = (".csv", ".npz", ".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz")
SCRATCH = 200  # results that are kept
MADE = ("archives", "checks", "uploads")  # parts of the cache with what visitors brought or asked for
NAMES = {"model.weights": ("imagenet",)}  # what a field may name beside addresses
KEPT = {"data.source": "uploads", "data.quarantine": "checks"}  # where a field may name a file of them


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
    """The folders that may be read."""
    data = os.environ.get("KCNN_APP_DATA", ".").split(os.pathsep)
    return [Path(folder).resolve() for folder in (*data, runs())]


def found_below():
    """Folders and files directly in the folders of data that may be addresses; the folders themselves first."""
    folders = [root for root in roots()[:-1] if root.is_dir()]
    entries = [entry for root in folders for entry in sorted(root.iterdir()) if not entry.name.startswith(".")]
    found = [entry for entry in entries if entry.is_dir() or entry.suffix in DATA]
    return [str(path) for path in (*folders, *found)][:SCRATCH]


def checked(address, place="data.source"):
    """The address as given for the field `place` of a recipe, if it may be read; raises `UserError` otherwise.

    Nothing is read before.
    """
    named = ADDRESS.fullmatch(address) or address in NAMES.get(place, ())
    if not (named or _is_inside(address, KEPT.get(place))):
        shown = ", ".join(map(str, roots()[:-1]))
        raise UserError(f"{address} is not below {shown}; start the dashboard with --data FOLDER to use another folder")
    return address


def _is_inside(address, kept):
    """Whether `address` is a path, and leads below a root, or to a file of the part `kept` of the cache.

    What visitors brought lies in the cache, and is named by nobody even where a root holds the cache: so no file out of
    an uploaded archive is taken for a table that names pictures elsewhere, or for weights.
    """
    if address != address.strip() or ":" in str(Path(address)).partition("/")[0]:
        return False
    try:
        path = Path(address).resolve()
    except (OSError, RuntimeError, ValueError):  # no path at all: a null byte, links in a circle
        return False
    if any(path.is_relative_to(cache(part).resolve()) for part in MADE):
        return kept is not None and path.is_relative_to(cache(kept).resolve()) and path.is_file()
    return any(path.is_relative_to(root) for root in roots())


def checked_recipe(recipe):
    """The recipe, if all that it names on the disk may be read."""
    for place in _places():
        section, key = place.split(".")
        if (address := getattr(getattr(recipe, section), key)) is not None:
            checked(address, place)
    return recipe


def _places():
    return [path for path, spec in fields() if spec.get("place")]


def scratch(kind, *what):
    """A folder in the cache for what is made of `what`; of each `kind` those used last are kept."""
    folder = cache("checks") / kind
    made = folder / mark(what)
    made.mkdir(parents=True, exist_ok=True)
    os.utime(made)
    with suppress(FileNotFoundError):  # another visitor may be sweeping, too
        for old in sorted(folder.iterdir(), key=lambda entry: -entry.stat().st_mtime)[SCRATCH:]:
            shutil.rmtree(old, ignore_errors=True)
    return made


def kept_list(file):
    """The address of a copy of the list `file`, which stays for the trainings that leave out what it names."""
    content = Path(file).read_bytes()
    kept = cache("checks") / "lists" / f"{mark([content])}.csv"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(content)
    return str(kept)


def mark(what):
    """A short word for `what` questions are made of, another for another; bytes may be long and are not written out."""
    return hashlib.sha256(repr(_short(what)).encode()).hexdigest()[:24]


def _short(what):
    if isinstance(what, bytes):
        return hashlib.sha256(what).digest()
    if isinstance(what, dict):
        return {key: _short(part) for key, part in what.items()}
    return [_short(part) for part in what] if isinstance(what, list | tuple) else what
