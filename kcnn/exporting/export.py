"""Write one format, load it again, compare, and only then put it in its place."""

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

from kcnn.disk import make_folder, read_json, tensorflow_writing, write_atomically, writing
from kcnn.errors import UserError
from kcnn.exporting.parity import compare, scored
from kcnn.exporting.registry import EXPORTERS


def export(format, model, head, facts, folder, images, score=None):
    """Write `model` in `format` (a name of `EXPORTERS`) into `folder`; returns (path, parity).

    images: (N, H, W, C) sample pictures as the model sees them, on which the written file must answer as the model
    does. score: (a function from a function of images to the head's main metric of its answers on pictures whose truth
    is known, that metric of the model itself); a format that rounds may cost masks and boxes 0.02 of it, however many
    places move.
    parity: {"pictures", "score_difference", "labels_agree", "file", "bytes"} and what `parity.scored` says, also kept
    in parity.json beside the file.
    Raises `UserError` for an unknown format, a package that it needs or a disk that refuses, `ExportDisagrees` if the
    answers differ; an earlier export of the same format is replaced only after the new one has been proved.
    """
    exporter = EXPORTERS[format]
    if exporter.absent:
        raise UserError(f"format {format} needs {', '.join(exporter.absent)}: pip install 'kcnn[export]'")
    folder = Path(folder)
    make_folder(folder)
    path, draft = folder / exporter.file, folder / f".draft-{os.getpid()}-{exporter.file}"
    try:
        with tensorflow_writing(path):
            exporter.write(model, head, facts, draft, images)
        ways = exporter.load(draft, head, facts)
        rounds = exporter.agreement is not None
        by_score = rounds and score is not None and head.task != "labels"
        parity = compare(model, head, facts, images, ways, 0.0 if by_score else exporter.agreement)
        if score is not None:
            parity |= scored(score, next(iter(ways.values())), head.main_metric, rounds)
        parity |= {"file": exporter.file, "bytes": _size(draft)}
        with writing(path):
            _remove(path)
            os.replace(draft, path)
    finally:
        with suppress(OSError):
            _remove(draft)
    known = read_json(folder / "parity.json")
    write_atomically(folder / "parity.json", json.dumps({**known, format: parity}, indent=1) + "\n")
    return path, parity


def _size(path):
    """Bytes of a file, or of all in a folder."""
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
