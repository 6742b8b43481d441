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


def write_boxes(picture, answer, classes, folder, stem):
    """Write what was found in a `picture` below `folder`; returns {"drawing", "coco": path}.

    answer: {"boxes" (n, 4), "scores", "classes" (names)}; classes: their numbers. The drawing is the picture with boxes
    and names, the COCO json a list of results: category_id, category, bbox [x, y, width, height] and score, and, where
    the answer has "masks" (n, h, w), segmentation, a list of polygons [x, y, x, y, …].
    """
    folder = Path(folder)
    make_folder(folder)
    files = {"drawing": folder / f"{stem}-boxes.png", "coco": folder / f"{stem}-boxes.json"}
    evaluation.save_picture(evaluation.drawn_boxes(picture, answer, classes), files["drawing"])
    rows = [
        {
            "category_id": int(kind),
            "category": name,
            "bbox": [round(float(part), 2) for part in (*box[:2], *(box[2:] - box[:2]))],
            "score": round(float(score), 4),
        }
        for box, score, kind, name in zip(answer["boxes"], answer["scores"], classes, answer["classes"], strict=True)
    ]
    for row, mask in zip(rows, answer.get("masks", ()), strict=False):
        parts = evaluation.polygons(np.uint8(mask), ("", "object"))
        row["segmentation"] = [np.ravel(part["polygon"]).tolist() for part in parts if part["class"] == "object"]
    write_atomically(files["coco"], json.dumps(rows, ensure_ascii=False) + "\n")
    return files
