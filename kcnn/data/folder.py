"""A folder with one sub-folder a class, inside split folders or not."""

import os
from pathlib import Path

from kcnn.data.labels import class_order, from_names
from kcnn.data.nifti import is_nifti
from kcnn.data.samples import DataSet, Files, Samples, as_strings
from kcnn.data.splits import KNOWN, split_name
from kcnn.errors import UserError

SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".avif"}
MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM")
LAYOUTS = "accepted: DIR/CLASS/picture.jpg, or DIR/train/CLASS/picture.jpg beside val, test or other split folders; "
LAYOUTS += "with masks DIR/images and DIR/masks"


def read(address, options, seed):
    """The pictures under the folder `address`, sorted by class and name; files that are no pictures are counted."""
    root = Path(address)
    inside = {entry.name: entry for entry in folders_in(root)}
    split_folders = {name: path for name, path in inside.items() if _holds_classes(path)}
    ignored = []
    if any(split_name(name) in KNOWN for name in split_folders):
        trees, format = _split_trees(root, split_folders), "a folder a class in split folders"
    elif inside:
        trees, format = {"train": inside}, "a folder a class"
    else:
        raise _refusal(root)
    listed = {split: {name: pictures_below(path, ignored) for name, path in t.items()} for split, t in trees.items()}
    empty = {name for t in listed.values() for name, paths in t.items() if not paths}
    listed = {split: {name: paths for name, paths in t.items() if paths} for split, t in listed.items()}
    empty -= {name for t in listed.values() for name in t}
    class_names = class_order(name for classes in listed.values() for name in classes)
    if not class_names:
        raise _refusal(root)
    splits = {split: _samples(root, classes, class_names) for split, classes in listed.items() if classes}
    notes = _notes(listed, ignored, class_names)
    return DataSet(splits, class_names, False, format, notes, empty_classes=tuple(sorted(empty)))


def picture_files(paths):
    """Paths (str) of the pictures, and volumes, named by `paths`: files as they are, folders by their sorted content.

    What is not there stays too, so that it does not keep the others from being answered. Raises UserError for a folder
    without pictures.
    """
    found = []
    for path in map(Path, paths):
        inside = (
            files_below(path, lambda file: _is_picture(file) or is_nifti(file), []) if path.is_dir() else [str(path)]
        )
        if not inside:
            raise UserError(
                f"folder {path} holds no pictures (.jpg .png .gif .bmp .webp) and no volumes (.nii .nii.gz)"
            )
        found += inside
    return found


def _split_trees(root, folders):
    trees = {}
    for name, path in sorted(folders.items()):
        split = split_name(name)
        if split in trees:
            raise UserError(f"data {root} has two folders for split {split!r}: {name} is one; rename the other")
        trees[split] = {entry.name: entry for entry in folders_in(path)}
    return trees


def _samples(root, classes, class_names):
    paths = [(path, name) for name in class_names for path in classes.get(name, ())]
    labels, _ = from_names([name for _, name in paths], class_names)
    names = as_strings([os.path.relpath(path, root) for path, _ in paths])
    return Samples(Files(as_strings([path for path, _ in paths])), labels, names)


def _notes(listed, ignored, class_names):
    notes = []
    deep = [paths for paths in listed.get("train", {}).values() if len({os.path.dirname(p) for p in paths}) > 1]
    if deep:
        inner = os.path.dirname(deep[0][0])
        notes.append(
            f"class folders have sub-folders, which count as one class: if {inner} is one, give the folder above it"
        )
    if ignored:
        notes.append(f"{len(ignored)} files are no pictures by name and content, such as {ignored[0]}: left out")
    train = listed.get("train", {})
    for split, classes in listed.items():
        if missing := [name for name in classes if name not in train]:
            notes.append(f"split {split!r} has classes that training lacks: {', '.join(missing[:5])}")
    return notes


def folders_in(root):
    """The folders in the folder `root`, sorted by name; hidden ones are passed over."""
    with os.scandir(root) as entries:
        return sorted((Path(e) for e in entries if e.is_dir() and not e.name.startswith(".")), key=lambda e: e.name)


def _holds_classes(path):
    """True for a folder of folders with pictures and no picture of its own: a split, not a class."""
    own = any(entry.is_file() and entry.suffix.lower() in SUFFIXES for entry in path.iterdir())
    return not own and any(pictures_below(folder, [], first=True) for folder in folders_in(path))


def pictures_below(folder, ignored, first=False):
    """Sorted paths (str) of all pictures below `folder`; others are added to `ignored`. `first`: stop at one."""
    return files_below(folder, _is_picture, ignored, first)


def files_below(folder, wanted, ignored, first=False):
    """The same of the files whose path is `wanted(path)`."""
    found = []
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = os.path.join(where, name)
            if name.startswith("."):
                continue
            if wanted(path):
                found.append(path)
                if first:
                    return found
            else:
                ignored.append(path)
    return found


def _is_picture(path):
    return os.path.splitext(path)[1].lower() in SUFFIXES or _looks_like_picture(path)


def _looks_like_picture(path):
    try:
        with open(path, "rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head.startswith(MAGIC) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


def _refusal(root):
    own = [entry.name for entry in sorted(root.iterdir()) if entry.is_file() and entry.suffix.lower() in SUFFIXES]
    folders = folders_in(root)
    if not folders and not own:
        hint = "it is empty" if not any(root.iterdir()) else "it holds no pictures"
    elif not folders:
        hint = f"it holds {len(own)} pictures but no class folders: put each class into a folder of its name"
    else:
        hint = "its folders hold no pictures (.jpg .png .gif .bmp .webp)"
    return UserError(f"data {root} is not understood: {hint}; {LAYOUTS}\nseen:\n{tree(root)}")


def tree(root, depth=2, most=8):
    """A few lines that show what is in the folder `root`."""
    lines = [f"{Path(root).name or root}/"]

    def walk(folder, indent):
        entries = sorted(folder.iterdir(), key=lambda e: (e.is_file(), e.name))
        for entry in entries[:most]:
            lines.append("  " * indent + entry.name + ("/" if entry.is_dir() else ""))
            if entry.is_dir() and indent < depth:
                walk(entry, indent + 1)
        if len(entries) > most:
            lines.append("  " * indent + f"... and {len(entries) - most} more")

    walk(Path(root), 1)
    return "\n".join(lines if len(lines) > 1 else [*lines, "  (nothing)"])
