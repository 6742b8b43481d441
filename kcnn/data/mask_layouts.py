"""Folders of pictures, or volumes, beside folders of masks: which is which, split by split, and which mask is whose.

`files` is what counts as one in both: `pictures_below`, or another function of its kind.
"""

import os
import re
from pathlib import Path

from kcnn.data.folder import folders_in, pictures_below
from kcnn.data.nifti import without_suffix
from kcnn.data.splits import KNOWN, split_name

PICTURES = ("images", "image", "imgs", "img", "pictures", "photos", "jpegimages", "leftimg8bit", "inputs")
PLAIN = ("masks", "mask", "segmentationclass", "segmentations", "segmentation")  # words that mean nothing else
MASKS = (*PLAIN, "labels", "label", "labelids")
MASKS += ("annotations", "annotation", "annots", "gt", "gtfine", "groundtruth", "ground_truth", "targets")
BESIDE = re.compile(r"(?P<name>.+?)[_-]?(?:masks?|labels?|gt|annot(?:ation)?s?|segmentations?)", re.IGNORECASE)
MASK_MARKS = re.compile(
    r"(?:[_-](?:masks?|gt|ground_?truth|labels?|l|seg|segmentation|annotation|anno|manual\d?|gtfine_label(?:train)?ids))+$",
    re.IGNORECASE,
)
PICTURE_MARKS = re.compile(r"[_-](?:leftimg8bit|images?|img|sat|rgb|training|0000)$", re.IGNORECASE)
DECATHLON = {"train": ("imagestr", "labelstr"), "test": ("imagests", "labelsts")}  # and nnU-Net
LAYOUTS = "DIR/images + DIR/masks (with train, val, ... inside or around them), DIR/train + DIR/train_masks, "
LAYOUTS += "or DIR/imagesTr + DIR/labelsTr"


def layout_of(root, files=pictures_below):
    """({split: (folder of pictures, folder of masks)}, words, names of splits without masks), or None: no such layout.

    Names of folders decide, and that the folder of masks holds pictures; where names may mean something else, as those
    of train and train_labels, there must also be a pair.
    """
    inside = {entry.name: entry for entry in folders_in(root)}
    if pairs := _decathlon(inside, files):
        without = [] if len(pairs) == 2 or "imagests" not in {name.lower() for name in inside} else ["test"]
        return pairs, "folders of pictures and of masks as imagesTr and labelsTr", without
    pair = _named_pair(inside, files)
    if pair and (pair[1].name.lower() in PLAIN or paired(*pair, files)[0]):
        pictures, masks = ({split_name(e.name): e for e in folders_in(folder)} for folder in pair)
        if not KNOWN & set(pictures) & set(masks):
            return {"train": pair}, "a folder of pictures and a folder of masks", []
        both = {name: (pictures[name], masks[name]) for name in sorted(set(pictures) & set(masks))}
        return both, "folders of pictures and of masks with split folders", sorted(set(pictures) - set(masks))
    pairs = {n: _named_pair({entry.name: entry for entry in folders_in(path)}, files) for n, path in inside.items()}
    if any(pairs.values()):
        without = [split_name(n) for n, pair in pairs.items() if not pair and split_name(n) in KNOWN]
        return _by_split(pairs), "split folders with pictures and masks", without
    pairs = _beside(inside, files)
    return (_by_split(pairs), "folders of pictures beside folders of masks", []) if pairs else None


def _by_split(pairs):
    made = {split_name(name): pair for name, pair in sorted(pairs.items()) if pair}
    return made if "train" in made or len(made) > 1 else {"train": next(iter(made.values()))}


def _decathlon(inside, files):
    """{split: (folder of pictures, folder of masks)} of the names that the Medical Decathlon and nnU-Net use."""
    known = {name.lower(): path for name, path in inside.items()}
    pairs = {split: tuple(map(known.get, names)) for split, names in DECATHLON.items()}
    found = {split: pair for split, pair in pairs.items() if all(pair) and files(pair[1], [], first=True)}
    return found if "train" in found else None


def _named_pair(inside, files):
    """(folder of pictures, folder of masks) among folders {name: path}, or None."""
    known = {name.lower(): path for name, path in inside.items()}
    pictures = next((known[name] for name in PICTURES if name in known), None)
    masks = next((known[n] for n in MASKS if n in known and files(known[n], [], first=True)), None)
    return (pictures, masks) if pictures and masks else None


def _beside(inside, files):
    """{name: (its folder, the folder of its masks)} of folders such as train and train_masks."""
    found = {}
    for name, masks in inside.items():
        match = BESIDE.fullmatch(name)
        if match and match["name"] in inside and match["name"] not in found:
            pair = inside[match["name"]], masks
            if paired(*pair, files)[0]:
                found[match["name"]] = pair
    return found


def paired(pictures, masks, files=pictures_below):
    """([(picture, mask)], [(path, reason)]) of two folders: pairs of paths (str) by name, and what has no partner.

    A mask's name is its picture's, but for the suffix and marks such as _mask, _gt or _L, or a picture's _img or _0000.
    """
    found, aside, ignored = {}, [], []
    for path in files(pictures, ignored):
        key = _key(path, pictures)
        if key in found:
            aside.append((path, f"{os.path.basename(found[key][0])} has the same name but for the suffix"))
        found.setdefault(key, [path, None])
    plain = {PICTURE_MARKS.sub("", key): key for key in reversed(found)}
    for path in files(masks, ignored):
        key = _key(path, masks)
        stripped = MASK_MARKS.sub("", key)
        row = next((found[k] for k in (key, stripped, plain.get(key), plain.get(stripped)) if k in found), None)
        if row is None:
            aside.append((path, f"a mask without a picture: {pictures} has none of its name"))
        elif row[1] is not None:
            aside.append((path, f"a second mask: {os.path.basename(row[1])} is the picture's"))
        else:
            row[1] = path
    aside += [(path, f"has no mask: {masks} holds none of its name") for path, mask in found.values() if mask is None]
    return [tuple(row) for row in found.values() if row[1] is not None], aside


def _key(path, root):
    return without_suffix(os.path.relpath(path, Path(root)))
