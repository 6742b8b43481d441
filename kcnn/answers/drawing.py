"""Answers as files: what people look at, and what other programs read."""

import io
import json
from pathlib import Path

import numpy as np

from kcnn import data, evaluation
from kcnn.disk import make_folder, write_atomically


def write_mask(picture, mask, class_names, folder, stem, scan=None):
    """Write a `mask` below `folder`; returns {"overlay", "mask", "polygons": path}, of data no picture {"mask": path}.

    The overlay is the `picture` under the classes' colours, the mask a PNG whose values are the class numbers, the
    polygons a JSON list of outlines. The mask of signals and volumes is an .npy file, that of a NIfTI file's `scan` a
    .nii.gz file that lies on it.
    """
    folder = Path(folder)
    make_folder(folder)
    if scan is not None:
        data.write_mask_on(scan, mask, folder / f"{stem}-mask.nii.gz")
        return {"mask": folder / f"{stem}-mask.nii.gz"}
    if mask.ndim != 2:
        content = io.BytesIO()
        np.save(content, mask, allow_pickle=False)
        write_atomically(folder / f"{stem}-mask.npy", content.getvalue())
        return {"mask": folder / f"{stem}-mask.npy"}
    files = {"overlay": f"{stem}-overlay.png", "mask": f"{stem}-mask.png", "polygons": f"{stem}-polygons.json"}
    files = {kind: folder / name for kind, name in files.items()}
    evaluation.save_picture(evaluation.overlay(picture, mask), files["overlay"])
    evaluation.save_mask(mask, files["mask"])
    outlines = evaluation.polygons(mask, class_names)
    write_atomically(files["polygons"], json.dumps(outlines, ensure_ascii=False) + "\n")
    return files
