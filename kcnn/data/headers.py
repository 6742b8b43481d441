"""What a picture file says about itself, read in graph operations before anything is decoded.

The format is recognised by its first bytes, never by a file name. Numbers are bounded by the bytes that are there, so
that a damaged header gives a wrong size or "unknown", never a read beyond the end.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

FORMATS = ("unknown", "jpeg", "png", "gif", "bmp", "webp")
JPEG = FORMATS.index("jpeg")


class Header(NamedTuple):
    """int32 scalars: `format` (a place in FORMATS), stored `height`, `width` and `channels` (1 or 3), and
    the EXIF `orientation` 1 to 8 of a JPEG (1: upright)."""

    format: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor
    channels: tf.Tensor
    orientation: tf.Tensor

    def upright_size(self):
        """float32 (..., 2): height and width after the orientation is undone."""
        size = tf.stack([self.height, self.width], -1)
        return tf.cast(tf.where((self.orientation > 4)[..., None], size[..., ::-1], size), tf.float32)


def upright_sizes(table):
    """(N, 2): height and width after the orientation is undone, of headers (N, 5) in a NumPy table."""
    return np.where(table[:, 4:] > 4, table[:, 2:0:-1], table[:, 1:3])


def read_header(data):
    """The `Header` of the encoded picture `data`, a string scalar; height and width are 0 where it is unknown."""
    head = _bytes(data, 0, 32)
    format = _format(head)
    readers = (_no_size, lambda: _jpeg(data), lambda: _png(head), lambda: _gif(head), lambda: _bmp(head))
    size = tf.switch_case(format, (*readers, lambda: _webp(head)))
    height, width, channels, orientation = tf.unstack(tf.ensure_shape(size, [4]))
    return Header(format, height, width, channels, orientation)


def _bytes(data, start, count):
    """int32 (count,): the bytes of `data` from `start` on, 0 beyond its end."""
    start = tf.minimum(start, tf.strings.length(data))
    return tf.cast(tf.io.decode_raw(tf.strings.substr(data, start, count), tf.uint8, fixed_length=count), tf.int32)


def first_bytes(data, count):
    """int32 (count,): the first bytes of `data`, 0 beyond its end."""
    return _bytes(data, 0, count)


def little_endian(values):
    """The whole number int32 whose bytes are `values`, low byte first."""
    return _number(values)


def _format(head):
    def starts(magic, offset=0):
        return tf.reduce_all(head[offset : offset + len(magic)] == list(magic))

    marks = (starts(b"\xff\xd8\xff"), starts(b"\x89PNG\r\n\x1a\n"), starts(b"GIF8"), starts(b"BM"))
    marks = tf.stack([*marks, starts(b"RIFF") & starts(b"WEBP", 8)])
    return tf.reduce_sum(tf.where(marks, tf.range(1, 6), 0))


def _number(values, little=True):
    """The whole number whose bytes are `values`, low byte first if `little`."""
    values = tf.cast(values, tf.int64)
    count = values.shape[0]
    low_first = tf.reduce_sum(values * [1 << (8 * i) for i in range(count)])
    if little is True:
        return _clip(low_first)
    high_first = tf.reduce_sum(values * [1 << (8 * i) for i in reversed(range(count))])
    return _clip(high_first if little is False else tf.where(little, low_first, high_first))


def _clip(number):
    return tf.cast(tf.minimum(number, (1 << 31) - 1), tf.int32)


def _no_size():
    return tf.constant([0, 0, 0, 1])


def _png(head):
    grey = (head[25] == 0) | (head[25] == 4)
    return tf.stack([_number(head[20:24], False), _number(head[16:20], False), tf.where(grey, 1, 3), 1])


def _gif(head):
    return tf.stack([_number(head[8:10]), _number(head[6:8]), 3, 1])


def _bmp(head):
    """A negative height (as two's complement) means that rows are stored from the top."""
    raw = tf.bitcast(tf.cast(tf.stack(head[22:26]), tf.uint8), tf.int32)
    return tf.stack([tf.abs(tf.maximum(raw, -(2**31 - 1))), _number(head[18:22]), 3, 1])


def _webp(head):
    """Sizes in the three kinds of first chunk: VP8 (lossy), VP8L (lossless), VP8X (extended)."""
    lossy = tf.stack([_number(head[28:30]) % 16384, _number(head[26:28]) % 16384])
    packed = tf.cast(head[21:25], tf.int64)
    packed = tf.reduce_sum(packed * [1, 1 << 8, 1 << 16, 1 << 24])
    lossless = tf.cast(tf.stack([packed // 16384 % 16384 + 1, packed % 16384 + 1]), tf.int32)
    extended = tf.stack([_number(head[27:30]) + 1, _number(head[24:27]) + 1])
    size = tf.where(head[15] == ord("L"), lossless, tf.where(head[15] == ord("X"), extended, lossy))
    return tf.concat([size, [3, 1]], 0)


def _jpeg(data):
    shape = tf.image.extract_jpeg_shape(data)
    return tf.concat([shape[:2], [tf.where(shape[2] == 1, 1, 3), _jpeg_orientation(data)]], 0)


def _jpeg_orientation(data):
    """The orientation in the EXIF segment, found by walking the application segments at the file's beginning."""

    def step(place, start, length, going):
        head = _bytes(data, place, 10)
        marker = head[1]
        size = _number(head[2:4], False)
        exif = (marker == 0xE1) & tf.reduce_all(head[4:] == list(b"Exif\0\0"))
        skips = ((marker >= 0xE0) & (marker <= 0xEF)) | (marker == 0xFE)
        going = (head[0] == 0xFF) & skips & ~exif & (size >= 2)
        start, length = tf.where(exif, place + 10, start), tf.where(exif, size - 8, length)
        return place + 2 + size, start, length, going

    zero = tf.constant(0)
    _, start, length, _ = tf.while_loop(lambda *state: state[3], step, (tf.constant(2), zero, zero, tf.constant(True)))
    return tf.cond(length > 0, lambda: _exif_orientation(tf.strings.substr(data, start, length)), lambda: 1)


def _exif_orientation(segment):
    """Tag 0x0112 of the first directory of a TIFF header, whichever its byte order; 1 where it is absent or odd."""
    head = _bytes(segment, 0, 8)
    little = head[0] == ord("I")
    size = tf.strings.length(segment)
    place = tf.minimum(_number(head[4:8], little), size)
    room = tf.maximum(size - place - 2, 0) // 12
    count = tf.minimum(_number(_bytes(segment, place, 2), little), room)
    text = tf.strings.substr(segment, tf.minimum(place + 2, size), count * 12)
    rows = tf.cast(tf.reshape(tf.io.decode_raw(text, tf.uint8), [-1, 12]), tf.int32)
    low, high = tf.where(little, 0, 1), tf.where(little, 1, 0)
    tags = tf.gather(rows, low, axis=1) + 256 * tf.gather(rows, high, axis=1)
    values = tf.gather(rows, 8 + low, axis=1) + 256 * tf.gather(rows, 8 + high, axis=1)
    found = tf.reduce_max(tf.concat([tf.where(tags == 0x0112, values, 0), [0]], 0))
    return tf.where((found >= 1) & (found <= 8), found, 1)
