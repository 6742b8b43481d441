"""Reading a few pictures for predict: the same decoder and the same frame as in evaluation."""

import errno
import functools
import os

import numpy as np
import tensorflow as tf

from kcnn.data.decode import to_channels
from kcnn.data.rendering import fit_to_frame, sized_frames_from_bytes
from kcnn.errors import UserError
from kcnn.recipe import Data

MAX_BYTES = 1 << 30  # of one file
TOGETHER = 64
DEFAULTS = Data()


def read(items, frame, *, framing="crop", max_pixels=DEFAULTS.max_pixels):
    """(frames (N, H, W, C), ok bool (N,)) of `items`: paths, encoded bytes, arrays (h, w, C), or one array of all.

    Frames are uint8; float32 if an item is an array of fractions, which must have the frame's shape. What cannot be
    read is a frame of zeros with ok False.
    """
    return read_sized(items, frame, framing=framing, max_pixels=max_pixels)[:2]


def read_sized(items, frame, *, framing="crop", max_pixels=DEFAULTS.max_pixels):
    """The same and int32 (N, 2), the heights and widths of the upright pictures, 1 where one cannot be read."""
    frame = tuple(frame)
    if isinstance(items, str | os.PathLike | bytes):
        items = [items]
    items = list(items)
    encoded = {i: _bytes(item) for i, item in enumerate(items) if isinstance(item, str | os.PathLike | bytes)}
    shown = {i: _fit(np.asarray(item), frame, framing) for i, item in enumerate(items) if i not in encoded}
    floats = any(seen.dtype != np.uint8 for seen in shown.values())
    frames, ok = np.zeros((len(items), *frame), np.float32 if floats else np.uint8), np.ones(len(items), bool)
    sizes = np.ones((len(items), 2), np.int32)
    for i, seen in shown.items():
        frames[i], sizes[i] = seen, np.shape(items[i])[:2]
    places = list(encoded)
    for start in range(0, len(places), TOGETHER):
        some = places[start : start + TOGETHER]
        frames[some], ok[some], sizes[some] = _decode([encoded[i] for i in some], frame, framing, max_pixels)
    return frames, ok, sizes


def _decode(items, frame, framing, max_pixels):
    if len(frame) != 3 or frame[2] not in (1, 3):
        raise UserError(f"this model sees data of shape {frame}, not pictures; give arrays of that shape")
    return tuple(part.numpy() for part in _reader(frame, framing, max_pixels)(tf.constant(items, tf.string)))


@functools.lru_cache(8)
def _reader(frame, framing, max_pixels):
    """The graph for one frame, built once: building it takes longer than reading a few pictures."""
    return tf.function(
        lambda items: sized_frames_from_bytes(items, frame, framing, max_pixels),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )


def file_bytes(path):
    """The content of a picture's file; raises OSError if it cannot be opened or has more than MAX_BYTES."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(MAX_BYTES + 1) if size <= MAX_BYTES else b""
    if max(size, len(data)) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"more than {MAX_BYTES} bytes")
    return data


def _bytes(item):
    """The content of a file; nothing for one that cannot be read, which is then answered as unreadable."""
    if isinstance(item, bytes):
        return item
    try:
        return file_bytes(item)
    except OSError:
        return b""


def _fit(picture, frame, framing):
    """The frame of one array: uint8 pictures of any size, or data of the frame's own shape."""
    if picture.dtype != np.uint8:
        if picture.dtype.kind in "iu" and picture.size and picture.min() >= 0 and picture.max() <= 255:
            return _fit(picture.astype(np.uint8), frame, framing)
        if picture.shape != frame:
            raise UserError(f"an array of {picture.dtype} must have the shape {frame}, not {picture.shape}")
        return picture.astype(np.float32)
    picture = picture[..., None] if picture.ndim == 2 else picture
    if picture.ndim != 3 or picture.shape[-1] not in (1, 3, 4) or 0 in picture.shape:
        raise UserError(f"a picture must have the shape (H, W, 1 or 3), not {picture.shape}")
    picture = to_channels(tf.constant(picture), frame[-1])
    return picture.numpy() if tuple(picture.shape) == frame else fit_to_frame(picture, frame, framing).numpy()
