"""Why a picture cannot be read, in words: looked into only for the few that failed."""

import functools
import os
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kcnn.data.decode import UNREADABLE
from kcnn.data.headers import FORMATS, JPEG, read_header
from kcnn.data.reading import MAX_BYTES
from kcnn.data.samples import Arrays, Files

ENDS = {"jpeg": b"\xff\xd9", "png": b"IEND\xaeB`\x82", "gif": b"\x3b"}
OTHERS = {b"II*\0": "TIFF", b"MM\0*": "TIFF", b"%PDF": "PDF", b"PK\x03\x04": "ZIP", b"8BPS": "Photoshop"}
LOOKED_AT = 1 << 28  # bytes of a file that are read to explain it


class Reason(NamedTuple):
    """`kind`: unreadable, truncated or too_large; `text`: a few words on one line."""

    kind: str
    text: str


def explain(images, place, max_pixels):
    """The `Reason`, such as "empty file" or "text, not a picture", for the unreadable picture at `place`."""
    if isinstance(images, Arrays):
        return Reason("unreadable", "holds values that are not finite numbers")
    if not isinstance(images, Files):
        return explain_bytes(images[place], max_pixels)
    path = images.paths[place]
    if not os.path.exists(path):
        return Reason("unreadable", "no such file")
    if os.path.getsize(path) > MAX_BYTES:
        return Reason("unreadable", f"has more than {MAX_BYTES} bytes")
    try:
        with open(path, "rb") as file:
            return explain_bytes(file.read(LOOKED_AT), max_pixels)
    except OSError as error:
        return Reason("unreadable", f"cannot be opened: {error.strerror}")


def explain_bytes(data, max_pixels):
    """The same for encoded bytes."""
    if not data:
        return Reason("unreadable", "empty file")
    try:
        format, height, width = _header()(tf.constant(data, tf.string)).numpy()[:3].tolist()
    except UNREADABLE:
        format, height, width = JPEG, 0, 0
    if format == 0:
        return Reason("unreadable", _no_picture(data))
    if height * width > max_pixels:
        text = f"{width}x{height} has more than {max_pixels} pixels (data.max_pixels); not decoded"
        return Reason("too_large", text)
    name = FORMATS[format]
    if name == "webp" and data[12:16] == b"VP8X" and data[20] & 2:
        return Reason("unreadable", "an animated WebP; save its first frame")
    if _is_cut(data, name):
        return Reason("truncated", f"{name.upper()} is truncated")
    return Reason("unreadable", f"{name.upper()} is damaged or of an unusual kind")


@functools.lru_cache(1)
def _header():
    """The graph from bytes to a `Header` as int32 (5,), built once."""
    signature = [tf.TensorSpec([], tf.string)]
    return tf.function(lambda data: tf.stack(read_header(data)), signature, autograph=False)


def _is_cut(data, name):
    if name == "webp":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if name == "bmp":
        return int.from_bytes(data[2:6], "little") > len(data)
    return ENDS[name] not in data[-64:]


def _no_picture(data):
    for magic, name in OTHERS.items():
        if data.startswith(magic):
            return f"{name}, which is not read; convert it to PNG or JPEG"
    if data[4:8] == b"ftyp":
        return "HEIC, AVIF or video, which is not read; convert it to PNG or JPEG"
    head = np.frombuffer(data[:512], np.uint8)
    printable = ((head >= 32) & (head < 127)) | np.isin(head, (9, 10, 13)) | (head >= 128)
    return (
        "text, not a picture" if printable.mean() > 0.97 else "not a picture (its first bytes are of no known format)"
    )
