"""Predictions on disk: one .npz a split without pickle, so that two runs can be compared picture by picture."""

import hashlib
import io
import re
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kcnn.archives import BROKEN
from kcnn.disk import make_folder, write_atomically
from kcnn.errors import UserError

MOST_EXACT = 1 << 20  # scores kept in float32; more of them in float16
MOST_BYTES = 1 << 31  # of all arrays together, unpacked
COLUMNS = {"scores": "f", "labels": "u", "predicted": "u", "loss": "f", "weights": "f", "names": "u", "identity": "u"}
MASK_COLUMNS = {"mean_iou": "f", "weights": "f", "names": "u", "identity": "u"}


@dataclass(frozen=True)
class Stored:
    """What a run answered for the N samples of a split.

    scores (N, K); labels and predicted (N,) class numbers, or (N, K) 0/1 for several labels; loss and weights (N,);
    names (N,) str; identity: a SHA-256 of the samples, the same only for the same pictures and labels in one order.
    """

    scores: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    loss: np.ndarray
    weights: np.ndarray
    names: list[str]
    identity: str

    def take(self, places):
        """The answers for the samples at `places` (integers), in that order; the identity stays that of all."""
        rows = {key: getattr(self, key)[places] for key in ("scores", "labels", "predicted", "loss", "weights")}
        return replace(self, names=[self.names[i] for i in places], **rows)

    def asked_as(self, other):
        """Whether the same was asked of both: labels, weights and number of classes."""
        same = self.scores.shape == other.scores.shape and np.array_equal(self.labels, other.labels)
        return same and np.array_equal(self.weights, other.weights)


@dataclass(frozen=True)
class StoredMasks:
    """How good the masks were that a run answered for the N pictures of a split.

    mean_iou (N,) of each picture, NaN where nothing is judged; weights (N,); names and identity as in `Stored`.
    """

    mean_iou: np.ndarray
    weights: np.ndarray
    names: list[str]
    identity: str

    def take(self, places):
        """As in `Stored`."""
        names = [self.names[i] for i in places]
        return replace(self, names=names, mean_iou=self.mean_iou[places], weights=self.weights[places])

    def asked_as(self, other):
        """As in `Stored`: without the true masks nobody can know."""
        return self.identity == other.identity


def store(report, split, predictions, loss, names, identity):
    """Keep `predictions` of a split, with its samples' loss (N,) and names, in the folder `report`."""
    several = predictions.multi_label
    exact, guess = predictions.scores.size <= MOST_EXACT, predictions.scores.argmax(1)
    arrays = {
        "scores": predictions.scores.astype(np.float32 if exact else np.float16),
        "labels": (predictions.labels > 0.5).astype(np.uint8) if several else predictions.labels.astype(np.uint32),
        "predicted": (predictions.scores > 0.5).astype(np.uint8) if several else guess.astype(np.uint32),
        "loss": loss.astype(np.float32),
        "weights": predictions.weights,
    }
    _write(report, split, arrays, [names[i] for i in predictions.index], identity)


def store_masks(report, split, tally, names, identity):
    """Keep the mean IoU of each picture in the `MaskTally` of a split of such names in the folder `report`."""
    index, mean_iou, weights = tally.pictures()
    arrays = {"mean_iou": mean_iou.astype(np.float32), "weights": weights.astype(np.float32)}
    _write(report, split, arrays, [names[i] for i in index], identity)


def _write(report, split, arrays, names, identity):
    text = "\0".join(map(str, names)).encode("utf-8", "surrogateescape")
    arrays |= {"names": np.frombuffer(text, np.uint8), "identity": np.frombuffer(identity.encode(), np.uint8)}
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    make_folder(report)
    write_atomically(place(report, split), content.getvalue())


def place(report, split):
    """The path of a split's predictions; a name that is no plain word is told apart by its digest."""
    word = re.sub(r"[^A-Za-z0-9_-]", "_", split)[:60]
    if word != split:
        word += "-" + hashlib.sha256(split.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return Path(report) / f"predictions-{word}.npz"


def identity_of(samples, class_names):
    """A SHA-256 of a split's names, labels, weights, contents (of files: sizes) and classes."""
    digest = hashlib.sha256("\0".join(class_names).encode("utf-8", "surrogateescape"))
    for part in samples.digest():
        digest.update(part)
    return digest.hexdigest()


def read_stored(report, split):
    """The `Stored` or `StoredMasks` of a split; raises `UserError` where there are none or the file is not intact."""
    path = place(report, split)
    if not path.is_file():
        raise UserError(f"no predictions of split {split!r} in {path.parent}; `kcnn evaluate` with --split keeps them")
    try:
        arrays = _read(path)
        names = arrays["names"].tobytes().decode("utf-8", "surrogateescape").split("\0")
        masks = "mean_iou" in arrays
        _check_rows(arrays, names, masks)
    except BROKEN as error:
        raise UserError(f"predictions {path} cannot be read: {error}") from None
    kept = arrays | {"names": names, "identity": arrays["identity"].tobytes().decode("ascii", "replace")}
    return (StoredMasks if masks else Stored)(**kept)


def _check_rows(arrays, names, masks):
    """Raise `ValueError` where what was read does not belong together."""
    shapes = {"mean_iou": (), "weights": ()}
    if not masks:
        several, width = arrays["labels"].ndim == 2, arrays["scores"].shape[-1]
        answers = dict.fromkeys(("labels", "predicted"), (width,) * several)
        shapes = {"loss": (), "weights": (), "scores": (width,)} | answers
    rows = {len(arrays[key]) for key in shapes} | {len(names)}
    if len(rows) != 1 or any(arrays[key].shape[1:] != shape for key, shape in shapes.items()):
        raise ValueError("its arrays differ in length")
    if not masks and max(arrays["labels"].max(), arrays["predicted"].max()) >= max(width, 2):
        raise ValueError("it names a class that has no score")


def _read(path):
    """{name: array} of the .npz `path`; nothing is unpacked before its sizes and kinds are known to be sound."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if len(members) != len(archive.infolist()):
            raise ValueError("two of its arrays have one name")
        if sum(info.file_size for info in members.values()) > MOST_BYTES:
            raise ValueError(f"it unpacks to more than {MOST_BYTES} bytes")
        columns = MASK_COLUMNS if "mean_iou" in members else COLUMNS
        for name, kinds in columns.items():
            _check(archive, members[name], kinds)
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in columns}


def _check(archive, info, kinds):
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version != (1, 0):
            raise ValueError(f"{info.filename} has an unknown format")
        shape, _, kind = np.lib.format.read_array_header_1_0(member)
        size = kind.itemsize * int(np.prod(shape, dtype=object))
        if kind.kind not in kinds or size != info.file_size - member.tell():
            raise ValueError(f"{info.filename} holds {kind} {shape}, which it should not")
