"""The one decoder, in graph operations: it serves training, evaluation, predict and the exported model alike.

JPEG (accurate integer transform), PNG (16-bit, alpha and palette become 8-bit), the first frame of GIF, BMP and WebP.
"""

import tensorflow as tf

from kcnn.data.headers import FORMATS, JPEG, first_bytes, little_endian, read_header

as_it_is = tf.autograph.experimental.do_not_convert  # graph code that needs no rewriting is traced far sooner
UNREADABLE = (tf.errors.OpError, UnicodeDecodeError)  # the second: a message that quotes the damaged file's bytes
LUMA = (19595, 38470, 7471)  # Rec. 601 in 1/65536, as PIL's mode "L"


def checked_header(data, max_pixels):
    """The header of `data`; the graph fails where the format is unknown or the picture has more than `max_pixels`."""
    header = read_header(data)
    pixels = tf.cast(header.height, tf.int64) * tf.cast(header.width, tf.int64)
    known = tf.debugging.Assert(header.format > 0, ["not a picture: " + ", ".join(FORMATS[1:]) + " are read"])
    small = tf.debugging.Assert((pixels > 0) & (pixels <= max_pixels), ["too many pixels", pixels])
    with tf.control_dependencies([step for step in (known, small) if step is not None]):
        return type(header)(*(tf.identity(value) for value in header))


def decode(data, channels, max_pixels):
    """The upright picture (H, W, channels) uint8 in the string scalar `data`; `channels` is 1 or 3.

    The graph fails with InvalidArgumentError where it cannot be read, or before decoding where it has more than
    `max_pixels`.
    """
    header = checked_header(data, max_pixels)
    return upright(decode_stored(data, header, channels), header.orientation)


def single(dataset):
    """The first element of `dataset`, without the rewriting that costs more than a small picture."""
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    return dataset.take(1).with_options(options).get_single_element()


def decode_stored(data, header, channels):
    """The picture as it is stored, orientation not undone: (H, W, channels) uint8."""
    branches = [
        lambda: tf.zeros([0, 0, channels], tf.uint8),
        lambda: tf.io.decode_jpeg(data, channels=channels, dct_method="INTEGER_ACCURATE"),
        lambda: to_channels(tf.io.decode_png(data, channels=3), channels),
        lambda: _gif(data, header, channels),
        lambda: _bmp(data, channels),
        lambda: _webp(data, channels),
    ]
    return tf.ensure_shape(tf.switch_case(header.format, branches), [None, None, channels])


def decode_window(data, header, ratio, top, left, height, width, channels):
    """A window of the stored picture at 1/`ratio` of its size (1, 2, 4 or 8; other formats than JPEG: 1).

    The window (int32 scalars) is in pixels of the reduced picture. Returns (height, width, channels) uint8.
    """
    window = tf.stack([top, left, height, width])

    def jpeg(ratio):
        return lambda: tf.image.decode_and_crop_jpeg(
            data, window, channels=channels, ratio=ratio, dct_method="INTEGER_ACCURATE"
        )

    def whole():
        return decode_stored(data, header, channels)[top : top + height, left : left + width]

    place = tf.where(header.format != JPEG, 4, tf.where(ratio == 8, 3, ratio // 2))
    picture = tf.switch_case(place, [jpeg(1), jpeg(2), jpeg(4), jpeg(8), whole])
    return tf.ensure_shape(picture, [None, None, channels])


def upright(picture, orientation):
    """The picture (H, W, C) with its EXIF `orientation` (1 to 8) undone."""
    mirrored = tf.stack([(orientation == 3) | (orientation == 4) | (orientation == 7) | (orientation == 6)])
    mirrored = tf.concat(
        [mirrored, [(orientation == 2) | (orientation == 3) | (orientation == 7) | (orientation == 8)]], 0
    )
    turned = tf.reverse(picture, tf.boolean_mask([0, 1], mirrored))
    return tf.cond(orientation > 4, lambda: tf.transpose(turned, [1, 0, 2]), lambda: turned)


def to_channels(picture, channels):
    """Colour, grey or four-channel uint8 (..., c) as (..., channels): alpha is dropped, grey is Rec. 601 luma."""
    found = picture.shape[-1]
    if found == channels:
        return picture
    if channels == 3:
        return tf.repeat(picture, 3, -1) if found == 1 else picture[..., :3]
    if found < 3:
        return picture[..., :1]
    total = tf.reduce_sum(tf.cast(picture[..., :3], tf.int32) * list(LUMA), -1, keepdims=True)
    return tf.cast((total + 0x8000) // 0x10000, tf.uint8)


def _gif(data, header, channels):
    """The first frame. One that does not fill the picture is refused: TensorFlow gives the frame, not its place."""
    frame = tf.io.decode_image(data, channels=3, expand_animations=False)
    size = tf.stack([header.height, header.width])
    fills = tf.debugging.Assert(tf.reduce_all(tf.shape(frame)[:2] == size), ["a GIF with a smaller first frame"])
    with tf.control_dependencies([fills] if fills is not None else []):
        return to_channels(tf.ensure_shape(frame, [None, None, 3]), channels)


def _webp(data, channels):
    """A still picture. Animations are refused: TensorFlow decodes all their frames, some of them past its buffer.

    For the same reason the number of channels is asked for as the header has it, never left to the decoder.
    """
    head = first_bytes(data, 32)
    extended, lossless = head[15] == ord("X"), head[15] == ord("L")
    alpha = tf.bitwise.bitwise_and(tf.where(extended, head[20], tf.where(lossless, head[24], 0)), 0x10) > 0
    still = tf.debugging.Assert(~extended | (tf.bitwise.bitwise_and(head[20], 2) == 0), ["an animated WebP"])
    with tf.control_dependencies([still] if still is not None else []):
        picture = tf.cond(
            alpha,
            lambda: tf.io.decode_webp(data, channels=4)[0, ..., :3],
            lambda: tf.io.decode_webp(data, channels=3)[0],
        )
    return to_channels(tf.ensure_shape(picture, [None, None, 3]), channels)


def _bmp(data, channels):
    """24- and 32-bit pictures by TensorFlow; 8-bit ones here, as it does not know palettes."""
    head = first_bytes(data, 54)
    bits = tf.where(head[28] == 8, 0, tf.where(head[28] == 32, 2, 1))
    branches = [
        lambda: _bmp_palette(data, head),
        lambda: tf.io.decode_bmp(data, channels=3),
        lambda: tf.io.decode_bmp(data, channels=4)[..., :3],
    ]
    return to_channels(tf.ensure_shape(tf.switch_case(bits, branches), [None, None, 3]), channels)


def _bmp_palette(data, head):
    """(H, W, 3) of an uncompressed 8-bit BMP: rows of numbers, padded to four bytes, into a table of colours."""
    start, table, width = (little_endian(head[i : i + 4]) for i in (10, 14, 18))
    height = tf.bitcast(tf.cast(head[22:26], tf.uint8), tf.int32)
    stride = (width + 3) // 4 * 4
    colours = tf.reshape(
        tf.io.decode_raw(tf.strings.substr(data, 14 + table, 1024), tf.uint8, fixed_length=1024), [-1, 4]
    )
    plain = tf.debugging.Assert(little_endian(head[30:34]) == 0, ["a compressed BMP"])
    with tf.control_dependencies([plain] if plain is not None else []):
        rows = tf.io.decode_raw(tf.strings.substr(data, start, stride * tf.abs(height)), tf.uint8)
    rows = tf.reshape(rows, [tf.abs(height), stride])[:, :width]
    rows = tf.cond(height > 0, lambda: rows[::-1], lambda: rows)
    return tf.gather(colours[:, 2::-1], tf.cast(rows, tf.int32))
